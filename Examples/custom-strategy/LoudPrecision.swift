import Stratagem

/// Parameters and inputs in bfloat16, by a plugin of its own, which says so once.
final class LoudPrecision: Precision {
  init() { super.init(.bfloat16) }

  override var inputType: DType? { .bfloat16 }

  override func convert(_ module: Module) {
    print("bf16_ddp: the parameters become bfloat16")
    module.to(.bfloat16)
  }
}
