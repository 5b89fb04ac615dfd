import Glibc

/// `base` to the power of a whole number, rounded as Python's `**` rounds it.
func power(_ base: Double, _ exponent: Int) -> Double {
  pow(base, Double(exponent))
}
