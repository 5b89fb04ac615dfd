/// An error of the user's code.
struct ProbeError: Error, CustomStringConvertible {
  let description: String
}
