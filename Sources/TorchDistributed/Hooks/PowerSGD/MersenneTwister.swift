/// MT19937, the generator of NumPy's `RandomState`, from which PyTorch's PowerSGD draws its seeds.
///
/// See M. Matsumoto, T. Nishimura, "Mersenne Twister", 1998.
struct MersenneTwister {
  private static let size = 624
  private static let middle = 397

  private var words: [UInt32]
  private var next = MersenneTwister.size

  init(seed: UInt32) {
    words = [seed]
    for index in 1..<UInt32(Self.size) {
      let last = words[Int(index) - 1]
      words.append(1_812_433_253 &* (last ^ (last >> 30)) &+ index)
    }
  }

  mutating func word() -> UInt32 {
    if next == Self.size { refill() }
    var word = words[next]
    next += 1
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C_5680
    word ^= (word << 15) & 0xEFC6_0000
    return word ^ (word >> 18)
  }

  /// A number in 0..<bound, as `RandomState.randint(bound)` draws it.
  mutating func number(below bound: UInt32) -> UInt32 {
    let mask = UInt32.max >> (bound - 1).leadingZeroBitCount
    while true {
      let candidate = word() & mask
      if candidate < bound { return candidate }
    }
  }

  private mutating func refill() {
    for index in 0..<Self.size {
      let joined = (words[index] & 0x8000_0000) | (words[(index + 1) % Self.size] & 0x7FFF_FFFF)
      words[index] = words[(index + Self.middle) % Self.size] ^ (joined >> 1) ^ (joined & 1 == 1 ? 0x9908_B0DF : 0)
    }
    next = 0
  }
}
