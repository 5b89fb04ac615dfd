import Foundation

@testable import Stratagem

/// The text of a manifest without the checksum that it begins with.
enum ManifestText {
  static func unsealed(_ json: Data) -> String {
    let text = String(decoding: json, as: UTF8.self)
    guard let comma = text.firstIndex(of: ",") else { return text }
    return "{" + text[text.index(after: comma)...]
  }

  static func sealed(_ text: String) -> Data { Data(ShardManifest.sealed(Array(text.utf8))) }
}
