import Foundation
import Testing
import Torch
import TorchData

struct CSVTableTests {
  /// Writes a file for the time of a call.
  private func withFile<Result>(_ content: Data, _ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appending(path: "table-\(UUID().uuidString).csv")
    try content.write(to: path)
    defer { try? FileManager.default.removeItem(at: path) }
    return try body(path.path)
  }

  private func table(_ text: String, header: Bool = true, separator: Unicode.Scalar = ",") throws -> CSVTable {
    try withFile(Data(text.utf8)) { try CSVTable($0, header: header, separator: separator) }
  }

  @Test func `a table is read`() throws {
    let table = try table("a,b,label\n1,2.5,0\n-3,4e2,1\n 5 ,.5,2\n")
    #expect(table.columnNames == ["a", "b", "label"])
    #expect(table.rowCount == 3)
    #expect(try table.column(named: "b") == [2.5, 400, 0.5])
    let tensor = try table.tensor(columns: 0..<2)
    #expect(tensor.dtype == .float32)
    #expect(tensor.shape == [3, 2])
    #expect(try tensor.array(as: Float.self) == [1, 2.5, -3, 400, 5, 0.5])
    #expect(try table.tensor(dtype: .float64).shape == [3, 3])
    #expect(try table.tensor(columns: 0..<1, dtype: .int8).array(as: Int8.self) == [1, -3, 5])
    #expect(try table.tensor(columns: 2..<3, dtype: .bfloat16).dtype == .bfloat16)
    #expect(try table.labels(column: "label", validLabels: 0..<3).array(as: Int.self) == [0, 1, 2])
  }

  @Test func `blank lines, carriage returns, quotes and a byte order mark do no harm`() throws {
    let table = try table("\u{FEFF}\"x, y\",z\r\n\r\n\"1\",2\r\n3,4")
    #expect(table.columnNames == ["x, y", "z"])
    #expect(try table.column(named: "x, y") == [1, 3])
    #expect(try table.column(named: "z") == [2, 4])
    #expect(try self.table("1;2\n3;4", header: false, separator: ";").columnNames == ["1", "2"])
  }

  @Test(arguments: [
    "0", "-0", "1", "0.1", "123456789012345", "1234567890123456789", "3.141592653589793238462643", "1e-7", "2.5E+10",
    "0.000001", "179769313486231570000", "+7.25",
  ])
  func `numbers are rounded as Swift rounds them`(_ text: String) throws {
    #expect(try table("x\n\(text)\n").column(named: "x") == [try #require(Double(text))])
  }

  @Test func `a compressed file is read`() throws {
    // gzip of "a,b\n1,2\n3,4\n"
    let compressed = try #require(Data(base64Encoded: gzipped))
    try withFile(compressed) { path in
      let table = try CSVTable(path)
      #expect(try table.tensor().array(as: Float.self) == [1, 2, 3, 4])
    }
    try withFile(compressed.dropLast(12)) { path in
      let error = try #require(throws: CSVError.self) { try CSVTable(path) }
      #expect(error.path == path)
      #expect(error.line == nil)
    }
  }

  private let gzipped = "H4sIAAAAAAACA0vUSeIy1DHiMtYx4QIA5enWzgwAAAA="

  @Test(
    arguments: [
      ("a,b\n1,2\n3\n", 3, nil, "the line has 1 columns, expected 2"),
      ("a,b\n1,2,3\n", 2, nil, "the line has 3 columns, expected 2"),
      ("a,b\n\n1,2,x\n", 3, nil, "the line has 3 columns, expected 2"),
      ("a,b\n1,2\n3,x y\n", 3, 2, "'x y' is not a number"),
      ("a,b\n1,\n", 2, 2, "the cell is empty, expected a number"),
      ("a,b\nnan,1\n", 2, 1, "'nan' is not a number"),
      ("a,b\n0x1f,1\n", 2, 1, "'0x1f' is not a number"),
      ("a,b\n1.2.3,1\n", 2, 1, "'1.2.3' is not a number"),
      ("a,b\n-,1\n", 2, 1, "'-' is not a number"),
      ("a,b\n1e999,1\n", 2, 1, "'1e999' is not a number"),
      (
        "0,0,1\n1,2,3\n", 1, nil,
        "the header names columns 1 and 2 both '0'; if the first line is data already, pass header: false"
      ),
      ("", nil, nil, "the file is empty"),
      ("a,b\n", nil, nil, "there is a header, but no row follows it"),
    ] as [(String, Int?, Int?, String)])
  func `a bad file is refused with the place`(_ text: String, _ line: Int?, _ column: Int?, _ reason: String) throws {
    let error = try #require(throws: CSVError.self) { try table(text) }
    #expect(error.line == line)
    #expect(error.column == column)
    #expect(error.reason == reason)
  }

  @Test func `messages name file, line, column and cell`() throws {
    try withFile(Data("a,label\n1,2\n3,x\n".utf8)) { path in
      let error = try #require(throws: CSVError.self) { try CSVTable(path) }
      #expect(error.description == "\(path):3: column 2 'label': 'x' is not a number")
    }
    let missing = try #require(throws: CSVError.self) { try CSVTable("/nowhere/table.csv") }
    #expect(missing.description == "/nowhere/table.csv: cannot open the file: No such file or directory")
  }

  @Test func `labels are checked`() throws {
    let table = try table("x,label\n1,0\n\n1,9\n1,10\n")
    let range = try #require(throws: CSVError.self) { try table.labels(column: "label", validLabels: 0..<10) }
    #expect(range.description.hasSuffix(".csv:5: column 2 'label': label 10 is out of range; valid labels are 0..<10"))
    let name = try #require(throws: CSVError.self) { try table.labels(column: "lable", validLabels: 0..<10) }
    #expect(name.description.hasSuffix("there is no column 'lable'; the 2 columns are 'x', 'label'"))
    let whole = try #require(throws: CSVError.self) {
      try self.table("label\n1\n1.5\n").labels(column: "label", validLabels: 0..<10)
    }
    #expect(whole.line == 3)
    #expect(whole.reason.hasPrefix("1.5 is not a whole number"))
    #expect(throws: CSVError.self) { try table.tensor(columns: 0..<3) }
    #expect(throws: CSVError.self) { try self.table("x\n300\n").tensor(dtype: .uint8) }
  }
}
