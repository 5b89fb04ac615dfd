public import TorchDistributed

/// How values of several ranks become one.
public typealias Reduction = ReduceOperation
