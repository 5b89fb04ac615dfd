/// A run whose processes somebody else has started and watches over.
public final class ExternalLauncher: Launcher {
  public override var processesAreCreatedExternally: Bool { true }
}
