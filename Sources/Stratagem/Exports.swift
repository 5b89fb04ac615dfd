// `import Stratagem` is all that a training program needs.
@_exported public import Torch
@_exported public import TorchData
@_exported public import TorchNN
@_exported public import TorchOptim
