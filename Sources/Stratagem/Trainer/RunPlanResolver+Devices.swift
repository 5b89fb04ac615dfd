internal import Torch

extension RunPlanResolver {
  /// More processes than this on the processors of one node are a slip of the pen.
  private static let mostProcesses = 4096

  /// Finds the indices of the devices of this node.
  ///
  /// On the processors the indices count processes. What is wrong with the text of the request is reported even when
  /// there is no hardware to compare it with.
  mutating func findDevices() {
    let selection: DeviceRequest.Selection
    do throws(DeviceRequest.GrammarError) {
      selection = try request.devices.selection()
    } catch {
      report("devices", error.message, error.suggestion)
      return
    }
    guard let accelerator, hardware.has(accelerator) else { return }
    if selection == .auto, let held = strategy?.holdings.devices {
      takeHeld(held, accelerator)
      return
    }
    switch accelerator {
    case .cpu: findProcesses(selection)
    case .cuda: findNumbered(selection, of: accelerator)
    case .mps: findNumbered(selection, of: accelerator)
    case .tpu: findCores(selection)
    case .hpu, .ipu: findCounted(selection, of: accelerator)
    }
  }

  private mutating func takeHeld(_ devices: [Device], _ kind: AcceleratorKind) {
    indices = devices.map { $0.index ?? 0 }
    if devices.isEmpty {
      report("devices", "the strategy was given an empty list of devices", "give it one or more")
    }
    for device in devices where AcceleratorKind(device) == kind && kind != .cpu {
      if (device.index ?? 0) < hardware.count(of: kind) { continue }
      report(
        "devices",
        "the strategy was given the device \(device), but this machine has \(hardware.count(of: kind)) "
          + kind.noun(hardware.count(of: kind)), "give it devices that exist")
    }
  }

  private mutating func findProcesses(_ selection: DeviceRequest.Selection) {
    switch selection {
    case .auto:
      let count = automaticCount(of: 1, bounded: false)
      if count > Self.mostProcesses {
        report(
          "devices", "\(cluster?.name ?? "") started \(count) processes on each node",
          "start at most \(Self.mostProcesses)")
      } else {
        indices = Array(0..<count)
      }
    case .first(let count) where count > Self.mostProcesses:
      report(
        "devices", "devices: \(request.devices) asks for more than \(Self.mostProcesses) processes on one node",
        "write a number near that of the cores: \(max(1, hardware.cpuCount))")
    case .first(let count):
      indices = Array(0..<count)
      if count > hardware.cpuCount && !processesExist {
        let places = strategy?.drivesSeveralDevices == true ? "replicas" : "processes"
        warnings.append(
          "devices: \(count) runs \(count) \(places) on \(hardware.cpuCount) CPU "
            + "\(hardware.cpuCount == 1 ? "core" : "cores"); they will wait for each other")
      }
    case .all:
      report(
        "devices", "devices: -1 means all devices, but on accelerator 'cpu' devices are processes",
        "write the number of processes, such as \(max(1, hardware.cpuCount))")
    case .indices(let list):
      report(
        "devices", "devices: \(request.devices) is a list of indices, but on accelerator 'cpu' devices are processes",
        "write the number of processes: devices: \(list.count)")
    }
    for kind in hardware.kinds where kind != .cpu {
      let count = hardware.count(of: kind)
      notes.append(
        "\(count) \(kind.noun(count)) \(count == 1 ? "is" : "are") present and not used; accelerator: "
          + "\"\(kind)\" uses \(count == 1 ? "it" : "them")")
    }
  }

  private mutating func findNumbered(
    _ selection: DeviceRequest.Selection, of kind: AcceleratorKind
  ) {
    let present = hardware.count(of: kind)
    switch selection {
    case .auto: indices = Array(0..<automaticCount(of: present, bounded: true))
    case .all: indices = Array(0..<present)
    case .first(let count):
      if count > present {
        if shareOneVisible(count, kind, present) { return }
        reportTooMany(count, kind, present)
      } else {
        indices = Array(0..<count)
      }
    case .indices(let list):
      let absent = list.filter { $0 >= present }
      if absent.isEmpty {
        indices = list
      } else if !shareOneVisible(list.count, kind, present) {
        report(
          "devices",
          "devices: \(request.devices) names \(absent.map { "\(kind):\($0)" }.joined(separator: ", ")), but this "
            + "machine has \(present) \(kind.noun(present))",
          present == 1 ? "write index 0" : "write indices in 0...\(present - 1)")
      }
    }
  }

  /// Takes the one visible device for every rank when a launcher gave each process a device of its own.
  private mutating func shareOneVisible(
    _ count: Int, _ kind: AcceleratorKind, _ present: Int
  ) -> Bool {
    guard processesExist, present == 1, count > 1 else { return false }
    indices = Array(repeating: 0, count: count)
    notes.append("each process sees one \(kind.noun(1)) and uses it as \(kind):0")
    return true
  }

  private mutating func reportTooMany(_ count: Int, _ kind: AcceleratorKind, _ present: Int) {
    report(
      "devices",
      "devices: \(request.devices) asks for \(count) \(kind.noun(count)), but this machine has \(present)",
      "write at most \(present), or -1 for all")
  }

  private mutating func findCores(_ selection: DeviceRequest.Selection) {
    let present = hardware.tpuCores
    switch selection {
    case .auto: indices = Array(0..<automaticCount(of: present, bounded: true))
    case .all: indices = Array(0..<present)
    case .first(let count) where count == 1 || count == present: indices = Array(0..<count)
    case .indices(let list) where list.count == 1 && list[0] < present: indices = list
    case .first, .indices:
      report(
        "devices", "devices: \(request.devices) is no choice of TPU cores; this machine has \(present)",
        "write 1, \(present) for all, or a list of one index in 0...\(present - 1)")
    }
  }

  private mutating func findCounted(_ selection: DeviceRequest.Selection, of kind: AcceleratorKind) {
    let present = hardware.count(of: kind)
    switch selection {
    case .auto: indices = Array(0..<automaticCount(of: present, bounded: true))
    case .all: indices = Array(0..<present)
    case .first(let count) where count <= present: indices = Array(0..<count)
    case .first(let count): reportTooMany(count, kind, present)
    case .indices(let list):
      report(
        "devices", "devices: \(request.devices) is a list of indices, but \(kind.noun(2)) are taken by number",
        "write devices: \(list.count)")
    }
  }

  /// Returns how many devices `auto` means: as many as a launcher started processes, no more than the strategy can use.
  private mutating func automaticCount(of present: Int, bounded: Bool) -> Int {
    var count = present
    if request.isInteractive && bounded && !processesExist && count > 1 {
      notes.append("an interactive session uses one device unless more are asked for")
      return 1
    }
    if (strategy?.processes ?? .onePerDevice) == .onePerDevice, processesExist, let started = cluster?.localWorldSize {
      count = bounded ? min(started, present) : started
    }
    return max(1, min(count, strategy?.maximumDevices ?? count))
  }
}
