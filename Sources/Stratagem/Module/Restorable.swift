public import Torch

/// The settings of a model, all with defaults, so that an old file or a short one can be read.
///
/// ```swift
/// struct HyperParameters: HyperParameterSet {
///   var hidden = 128
///   var learningRate = 1e-3
/// }
/// ```
public protocol HyperParameterSet: Codable, Sendable {
  /// The defaults.
  init()
}

extension HyperParameterSet {
  /// The values as they stand in a checkpoint, with Python's names: `{"hidden": 128, "learning_rate": 0.001}`.
  public func archive() throws -> ArchiveDictionary { try ArchiveEncoder.encode(self).dictionaryValue ?? [:] }

  /// Reads values over the defaults. Unknown ones are left out.
  ///
  /// - Throws: `DecodingError` for a value of another type.
  public init(archive: ArchiveDictionary) throws {
    let defaults = try Self().archive()
    self = try ArchiveDecoder.decode(Self.self, from: .dictionary(defaults.overlaid(with: archive)))
  }
}

extension ArchiveDictionary {
  /// These entries, replaced by those of `other`; inner dictionaries likewise.
  func overlaid(with other: ArchiveDictionary) -> ArchiveDictionary {
    var result = self
    for (key, value) in other {
      if let inner = result[key]?.dictionaryValue, let newer = value.dictionaryValue {
        result[key] = .dictionary(inner.overlaid(with: newer))
      } else {
        result[key] = value
      }
    }
    return result
  }
}

/// A module that can be made again from a checkpoint alone: its hyper-parameters are saved with the weights.
///
/// ```swift
/// final class DigitClassifier: LightningModule<Digits>, Restorable {
///   let hyperParameters: HyperParameters
///   init(_ hyperParameters: HyperParameters = .init()) { ... }
/// }
/// let model = try DigitClassifier.restore(from: "best.ckpt")
/// ```
///
/// In Python `load_from_checkpoint` finds them as the arguments of `__init__`.
public protocol Restorable: AnyLightningModule {
  associatedtype HyperParameters: HyperParameterSet
  var hyperParameters: HyperParameters { get }
  init(_ hyperParameters: HyperParameters)
}

extension Restorable {
  /// Makes a module with the hyper-parameters and the weights of a checkpoint.
  ///
  /// - Parameters:
  ///   - path: a `.ckpt` file, of Python Lightning too.
  ///   - change: a last change of the hyper-parameters, such as of one that older files do not have.
  ///   - io: what reads the file.
  /// - Throws: ``CheckpointError`` when there are no weights, or they or the hyper-parameters do not fit.
  public static func restore(
    from path: String, with io: any CheckpointIO = FileCheckpointIO(),
    changing change: (inout HyperParameters) -> Void = { _ in }
  ) throws -> Self {
    let checkpoint = try io.load(from: path, weightsOnly: true)
    var parameters: HyperParameters
    do {
      parameters = try HyperParameters(archive: checkpoint["hyper_parameters"]?.dictionaryValue ?? [:])
    } catch let error as DecodingError {
      throw CheckpointError(path: path, reason: "its hyper-parameters do not fit \(Self.self): \(error.sentence)")
    }
    change(&parameters)
    let module = try withErrorScope { Self(parameters) }
    try checkpoint.loadWeights(into: module, path)
    return module
  }

  var archivedHyperParameters: ArchiveDictionary { (try? hyperParameters.archive()) ?? [:] }
}

extension AnyLightningModule {
  /// What checkpoints and loggers keep of the settings of the module.
  final var savedHyperParameters: ArchiveDictionary {
    let own = hyperParameterArchive
    guard own.isEmpty, let restorable = self as? any Restorable else { return own }
    return restorable.archivedHyperParameters
  }
}

extension DecodingError {
  /// What does not fit, and where.
  var sentence: String {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
      .dataCorrupted(let context):
      let place = context.codingPath.map { ArchiveName.inPython($0.stringValue) }.joined(separator: ".")
      return place.isEmpty ? context.debugDescription : "'\(place)': \(context.debugDescription)"
    @unknown default: return "\(self)"
    }
  }
}
