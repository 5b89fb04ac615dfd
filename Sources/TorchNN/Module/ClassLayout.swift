/// What can be learnt of a class without its reflection metadata.
enum ClassLayout {
  /// Whether `type` declares stored properties of its own, judged by the size of its instances.
  ///
  /// Where the layout of class metadata is not known (outside Linux) the answer is `false`.
  static func hasStoredProperties(_ type: AnyClass) -> Bool {
    guard let superclass = _getSuperclass(type) else { return false }
    return instanceSize(type) > instanceSize(superclass)
  }

  private static func instanceSize(_ type: AnyClass) -> UInt32 {
    #if os(Linux)
      // Class metadata without Objective-C interoperation: kind, superclass, flags, address point, instance size.
      // https://github.com/swiftlang/swift/blob/main/docs/ABI/TypeMetadata.rst
      let offset = 2 * MemoryLayout<UInt>.size + 2 * MemoryLayout<UInt32>.size
      return unsafeBitCast(type, to: UnsafeRawPointer.self).load(fromByteOffset: offset, as: UInt32.self)
    #else
      return 0
    #endif
  }
}
