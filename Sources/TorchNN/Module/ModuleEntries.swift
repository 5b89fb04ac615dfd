/// What one module holds directly: references to wrappers and children, never tensors.
struct ModuleEntries {
  var parameters: [(name: String, parameter: AnyParameter)] = []
  var buffers: [(name: String, buffer: AnyBuffer)] = []
  var children: [(name: String, module: Module)] = []
  /// What the walk cannot use, each a sentence that begins with the property's name.
  var problems: [String] = []
  /// A class of the module whose stored properties reflection does not show.
  var hiddenType: String?
  /// Whether no later assignment to a property can change the entries, so that they may be kept.
  var isStable = true
}
