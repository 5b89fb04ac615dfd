internal import Torch
internal import TorchNN

/// Which parameters form units, found from the structure of a model; the same on all ranks.
struct ShardingPlan {
  /// Parameters of one type that are gathered and reduced together.
  struct Unit {
    /// The path of the module; empty for the whole model.
    let name: String
    /// Whose calls the unit follows; nil for one that stays gathered.
    let module: Module?
    let parameters: [ShardedParameter]
    /// Whether the parameters are partitioned between their uses.
    let isFreed: Bool

    /// The type of the elements that the optimizer updates.
    func masterType(_ options: ShardingOptions) -> DType {
      let own = parameters[0].dtype
      return own.isFloatingPoint ? options.masterType ?? own : own
    }
  }

  let units: [Unit]

  /// Groups of parameters in the order of the model, each of one type and at most `byteCount` bytes, that stay gathered.
  init(buckets byteCount: Int, of module: Module, home: Device = .cpu) throws(ConfigurationError) {
    units = Self.buckets(try Self.parameters(of: module, home).map(\.parameter), byteCount)
  }

  /// A unit for each module that `policy` chooses and one for the rest.
  ///
  /// - Parameters:
  ///   - persistence: parameters with fewer elements stay gathered.
  ///   - byteCount: of the groups that stay gathered.
  ///   - home: where parameters are that have no memory yet.
  init(
    wrapping module: Module, _ policy: WrapPolicy, persistence: Int, buckets byteCount: Int, home: Device = .cpu
  ) throws(ConfigurationError) {
    let wrapped = try policy.units(in: module)
    var members: [[ShardedParameter]] = Array(repeating: [], count: wrapped.count + 1)
    var persistent: [ShardedParameter] = []
    for (parameter, paths) in try Self.parameters(of: module, home) {
      if parameter.count < persistence {
        persistent.append(parameter)
      } else {
        members[Self.home(of: paths, wrapped.map(\.name))].append(parameter)
      }
    }
    let modules = [("", module)] + wrapped
    units =
      zip(modules, members).flatMap { place, parameters in
        Self.sorted(parameters).map {
          Unit(name: place.0, module: place.1, parameters: $0, isFreed: true)
        }
      } + Self.buckets(persistent, byteCount)
  }

  /// The unit that a parameter with some paths belongs to: the innermost one that all of them are in. 0 is the whole model,
  /// i + 1 the unit at `units[i]`.
  static func home(of paths: [String], _ units: [String]) -> Int {
    let chains = paths.map { path in
      units.indices.filter { path.hasPrefix(units[$0] + ".") }.sorted { units[$0].count < units[$1].count }
    }
    guard var common = chains.first else { return 0 }
    for chain in chains.dropFirst() { common = zip(common, chain).prefix { $0 == $1 }.map(\.0) }
    return common.last.map { $0 + 1 } ?? 0
  }

  /// The parameters of a module, each once, with the paths of the properties that hold it.
  private static func parameters(
    of module: Module, _ home: Device
  ) throws(ConfigurationError) -> [(parameter: ShardedParameter, paths: [String])] {
    var order: [OpaquePointer] = []
    var found: [OpaquePointer: (holders: [AnyParameter], paths: [String])] = [:]
    var seen = Set<ObjectIdentifier>()
    for (name, holder) in module.namedParameters(removingDuplicates: false) {
      // A module that stands in several places has its parameters once.
      guard seen.insert(ObjectIdentifier(holder)).inserted else { continue }
      let key = holder.tensor.handle
      if found[key] == nil { order.append(key) }
      found[key, default: ([], [])].holders.append(holder)
      found[key]?.paths.append(name)
    }
    return order.compactMap { key in
      found[key].map { (ShardedParameter(name: $0.paths[0], holders: $0.holders, home: home), $0.paths) }
    }
  }

  /// Parameters by type, and those that are trained apart from the frozen ones, which have no gradients to reduce.
  private static func sorted(_ parameters: [ShardedParameter]) -> [[ShardedParameter]] {
    var groups: [[ShardedParameter]] = []
    for parameter in parameters {
      let place = groups.firstIndex {
        $0[0].dtype == parameter.dtype && $0[0].isTrained == parameter.isTrained
          && $0[0].device == parameter.device
      }
      if let place { groups[place].append(parameter) } else { groups.append([parameter]) }
    }
    return groups
  }

  private static func buckets(_ parameters: [ShardedParameter], _ byteCount: Int) -> [Unit] {
    var units: [Unit] = []
    for group in sorted(parameters) {
      var bucket: [ShardedParameter] = []
      var bytes = 0
      func close() {
        if !bucket.isEmpty { units.append(Unit(name: "", module: nil, parameters: bucket, isFreed: false)) }
      }
      for parameter in group {
        let own = parameter.count * parameter.dtype.byteCount
        if bytes > 0, bytes + own > byteCount {
          close()
          (bucket, bytes) = ([], 0)
        }
        bucket.append(parameter)
        bytes += own
      }
      close()
    }
    return units
  }
}
