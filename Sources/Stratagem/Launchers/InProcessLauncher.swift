/// A run of one process: there is nothing to start.
public final class InProcessLauncher: Launcher {}
