import Foundation
import Testing

@testable import Stratagem

@Suite struct JSONLineTests {
  @Test func membersKeepTheirOrder() {
    #expect(
      JSONLine.text([
        ("val/loss", .float(0.1)), ("double", 0.1), ("samples", 297), ("ok", true), ("none", .null), ("name", "digits"),
        ("metric", JSONScalar(MetricNumber.double(1))),
      ])
        == #"{"val/loss": 0.1, "double": 0.1, "samples": 297, "ok": true, "none": null, "name": "digits", "metric": 1.0}"#
    )
    #expect(JSONLine.text([]) == "{}")
  }

  @Test func nonFiniteNumbersAreNull() {
    #expect(
      JSONLine.text([("a", .float(.nan)), ("b", .double(.infinity)), ("c", .float(-.infinity))])
        == #"{"a": null, "b": null, "c": null}"#)
  }

  @Test func anotherParserReadsTheSameTextsAndBits() throws {
    let texts = ["", "a\"b\\c/d", "\0\u{1}\u{1f}\n\r\t\u{7f}\u{2028}", "größe 名前 🎉", "\r\n"]
    let doubles: [Double] = [0.1, -0.0, .leastNonzeroMagnitude, 1.7976931348623157e308, 1e22, 123456789.125]
    var members: [(name: String, value: JSONScalar)] = []
    for text in texts { members.append((text, .string(text))) }
    for (index, value) in doubles.enumerated() { members.append(("d\(index)", .double(value))) }
    let line = JSONLine.text(members)
    #expect(!line.utf8.contains(10))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object.count == members.count)
    for text in texts { #expect(object[text] as? String == text) }
    for (index, value) in doubles.enumerated() {
      #expect((object["d\(index)"] as? NSNumber)?.doubleValue.bitPattern == value.bitPattern)
    }
  }
}
