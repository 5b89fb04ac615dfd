/// The pickle format as `torch.save` uses it (Python's `Lib/pickletools.py` describes every operation).
enum Pickle {
  /// Containers within containers beyond this are refused.
  static let maximumDepth = 200

  enum Operation {
    static let mark = UInt8(ascii: "(")
    static let stop = UInt8(ascii: ".")
    static let pop = UInt8(ascii: "0")
    static let popMark = UInt8(ascii: "1")
    static let duplicate = UInt8(ascii: "2")
    static let binary32 = UInt8(ascii: "B")
    static let binary8 = UInt8(ascii: "C")
    static let double = UInt8(ascii: "G")
    static let int32 = UInt8(ascii: "J")
    static let uint8 = UInt8(ascii: "K")
    static let uint16 = UInt8(ascii: "M")
    static let none = UInt8(ascii: "N")
    static let persistentID = UInt8(ascii: "Q")
    static let reduce = UInt8(ascii: "R")
    static let bytes32 = UInt8(ascii: "T")
    static let bytes8 = UInt8(ascii: "U")
    static let string32 = UInt8(ascii: "X")
    static let append = UInt8(ascii: "a")
    static let build = UInt8(ascii: "b")
    static let global = UInt8(ascii: "c")
    static let dictionary = UInt8(ascii: "d")
    static let appends = UInt8(ascii: "e")
    static let get8 = UInt8(ascii: "h")
    static let get32 = UInt8(ascii: "j")
    static let list = UInt8(ascii: "l")
    static let put8 = UInt8(ascii: "q")
    static let put32 = UInt8(ascii: "r")
    static let setItem = UInt8(ascii: "s")
    static let tuple = UInt8(ascii: "t")
    static let setItems = UInt8(ascii: "u")
    static let emptyTuple = UInt8(ascii: ")")
    static let emptyList = UInt8(ascii: "]")
    static let emptyDictionary = UInt8(ascii: "}")
    static let proto: UInt8 = 0x80
    static let newObject: UInt8 = 0x81
    static let tuple1: UInt8 = 0x85
    static let tuple2: UInt8 = 0x86
    static let tuple3: UInt8 = 0x87
    static let newTrue: UInt8 = 0x88
    static let newFalse: UInt8 = 0x89
    static let long8: UInt8 = 0x8A
    static let long32: UInt8 = 0x8B
    static let string8: UInt8 = 0x8C
    static let string64: UInt8 = 0x8D
    static let binary64: UInt8 = 0x8E
    static let stackGlobal: UInt8 = 0x93
    static let memoize: UInt8 = 0x94
    static let frame: UInt8 = 0x95
    static let byteArray: UInt8 = 0x96
  }
}
