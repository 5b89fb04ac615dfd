internal import CTorch

/// Finds the user's line by unwinding the stack and reading the program's line tables: only on failure, and nothing
/// has to be handed through operators, which cannot take `#line`.
enum SourceLocation {
  /// The folder `Sources/` of this package, as the compiler recorded it.
  private static let libraryRoot: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/") + "/"
  }()

  static func ofLastFailure() -> String? { find(ct_error_location) }

  static func ofCaller() -> String? { find(ct_call_location) }

  private static func find(
    _ locate: (UnsafePointer<CChar>, UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<Int>) -> Bool
  ) -> String? {
    var line = 0
    let capacity = 4096
    let file = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
    defer { file.deallocate() }
    guard locate(libraryRoot, file, capacity, &line) else { return nil }
    return "\(String(cString: file)):\(line)"
  }
}
