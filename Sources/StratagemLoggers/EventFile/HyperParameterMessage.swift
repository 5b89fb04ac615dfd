internal import Stratagem

/// The messages of TensorBoard's page of hyper-parameters (`plugin_data.proto` of its `hparams` plugin).
///
/// There is no message that lists all parameters of an experiment: TensorBoard finds them in the runs of its folder.
enum HyperParameterMessage {
  private static let plugin = "hparams"

  /// The settings of the run. A text that is a number or a truth value is recorded as such.
  static func start(_ parameters: [(name: String, value: String)], time: Double) -> ProtobufMessage {
    EventMessage.metadata(
      "_hparams_/session_start_info", plugin: plugin,
      ProtobufMessage {
        $0.add(3) {
          for (name, value) in parameters {
            $0.add(1) {
              $0.add(1, text: name)
              $0.add(2, Self.value(value))
            }
          }
          $0.add(5, double: time)
        }
      }, time: time)
  }

  /// How the run ended.
  static func end(_ status: LoggerStatus, time: Double) -> ProtobufMessage {
    let code =
      switch status {
      case .interrupted: 0
      case .success: 1
      case .failed: 2
      }
    return EventMessage.metadata(
      "_hparams_/session_end_info", plugin: plugin,
      ProtobufMessage {
        $0.add(4) {
          $0.add(1, varint: code)
          $0.add(2, double: time)
        }
      }, time: time)
  }

  /// `google.protobuf.Value`.
  private static func value(_ text: String) -> ProtobufMessage {
    ProtobufMessage {
      switch text {
      case "true": $0.add(4, varint: 1)
      case "false": $0.add(4, varint: 0)
      default:
        if let number = Double(text) { $0.add(2, double: number) } else { $0.add(3, text: text) }
      }
    }
  }
}
