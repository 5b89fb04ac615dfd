internal import Stratagem

/// The messages of event files that TensorBoard reads (`event.proto`, `summary.proto`, `tensor.proto`).
enum EventMessage {
  private enum Field {
    static let wallTime = 1, step = 2, fileVersion = 3, summary = 5, sessionLog = 7
    static let summaryValue = 1
    static let tag = 1, simpleValue = 2, histogram = 5, tensor = 8, metadata = 9
  }
  private static let floatType = 1
  private static let stringType = 7

  /// The first event of every file.
  static func fileVersion(time: Double) -> ProtobufMessage {
    ProtobufMessage {
      $0.add(Field.wallTime, double: time)
      $0.add(Field.fileVersion, text: "brain.Event:2")
    }
  }

  /// Tells the reader that a run starts again at `step`: it forgets what earlier events said of this and later steps.
  static func sessionStart(step: Int, time: Double) -> ProtobufMessage {
    event(step: step, time: time, Field.sessionLog, ProtobufMessage { $0.add(1, varint: 1) })
  }

  static func text(_ name: String, _ text: String, step: Int, time: Double) -> ProtobufMessage {
    summary(step: step, time: time) {
      $0.add(Field.tag, text: name + "/text_summary")
      $0.add(Field.tensor) {
        $0.add(1, varint: stringType)
        $0.add(2) { $0.add(2) { $0.add(1, varint: 1) } }
        $0.add(8, text: text)
      }
      $0.add(Field.metadata, pluginData("text", ProtobufMessage()))
    }
  }

  static func histogram(_ name: String, _ histogram: Histogram, step: Int, time: Double) -> ProtobufMessage {
    summary(step: step, time: time) {
      $0.add(Field.tag, text: name)
      $0.add(Field.histogram) {
        $0.add(1, double: histogram.minimum)
        $0.add(2, double: histogram.maximum)
        $0.add(3, double: Double(histogram.count))
        $0.add(4, double: histogram.sum)
        $0.add(5, double: histogram.sumOfSquares)
        $0.add(6, doubles: histogram.limits)
        $0.add(7, doubles: histogram.counts.map(Double.init))
      }
    }
  }

  /// What a plugin wants to know of the run: a tag without a value of its own.
  static func metadata(_ tag: String, plugin: String, _ content: ProtobufMessage, time: Double) -> ProtobufMessage {
    summary(step: 0, time: time) {
      $0.add(Field.tag, text: tag)
      $0.add(Field.tensor) {
        $0.add(1, varint: floatType)
        $0.add(2, ProtobufMessage())
        $0.add(5) { ProtobufMessage.append(0, to: &$0.bytes, count: 4) }
      }
      $0.add(Field.metadata, pluginData(plugin, content))
    }
  }

  /// Appends the event of a row: a scalar for the epoch and one for each value.
  ///
  /// This happens every step, so the lengths are computed first and nothing is copied.
  static func append(_ row: LoggedRow, to bytes: inout [UInt8]) {
    var length = valueLength("epoch")
    for (name, _) in row.values { length += valueLength(name) }
    ProtobufMessage.append(Field.wallTime, .fixed64, to: &bytes)
    ProtobufMessage.append(row.time.bitPattern, to: &bytes, count: 8)
    ProtobufMessage.append(Field.step, .varint, to: &bytes)
    ProtobufMessage.append(UInt64(bitPattern: Int64(row.step)), to: &bytes)
    ProtobufMessage.append(Field.summary, .delimited, to: &bytes)
    ProtobufMessage.append(UInt64(length), to: &bytes)
    appendValue("epoch", Float(row.epoch), to: &bytes)
    for (name, value) in row.values {
      switch value {
      case .float(let number): appendValue(name, number, to: &bytes)
      case .double(let number): appendValue(name, Float(number), to: &bytes)
      }
    }
  }

  private static func appendValue(_ tag: String, _ value: Float, to bytes: inout [UInt8]) {
    ProtobufMessage.append(Field.summaryValue, .delimited, to: &bytes)
    ProtobufMessage.append(UInt64(contentLength(tag)), to: &bytes)
    ProtobufMessage.append(Field.tag, .delimited, to: &bytes)
    ProtobufMessage.append(UInt64(tag.utf8.count), to: &bytes)
    bytes.append(contentsOf: tag.utf8)
    ProtobufMessage.append(Field.simpleValue, .fixed32, to: &bytes)
    ProtobufMessage.append(UInt64(value.bitPattern), to: &bytes, count: 4)
  }

  /// The length of a scalar's tag and number: a byte, a length and the tag; a byte and four for the number.
  private static func contentLength(_ tag: String) -> Int {
    1 + ProtobufMessage.length(tag.utf8.count) + tag.utf8.count + 5
  }

  private static func valueLength(_ tag: String) -> Int {
    let length = contentLength(tag)
    return 1 + ProtobufMessage.length(length) + length
  }

  private static func pluginData(_ plugin: String, _ content: ProtobufMessage) -> ProtobufMessage {
    ProtobufMessage {
      $0.add(1) {
        $0.add(1, text: plugin)
        $0.add(2, content)
      }
    }
  }

  private static func summary(
    step: Int, time: Double, _ value: (inout ProtobufMessage) -> Void
  ) -> ProtobufMessage {
    event(step: step, time: time, Field.summary, ProtobufMessage { $0.add(Field.summaryValue, value) })
  }

  private static func event(step: Int, time: Double, _ field: Int, _ content: ProtobufMessage) -> ProtobufMessage {
    ProtobufMessage {
      $0.add(Field.wallTime, double: time)
      $0.add(Field.step, varint: step)
      $0.add(field, content)
    }
  }
}
