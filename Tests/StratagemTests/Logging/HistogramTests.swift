import Stratagem
import Testing

@Suite struct HistogramTests {
  @Test func bucketsAreOfEqualWidth() throws {
    let histogram = try #require(Histogram([0, 0.5, 1, 2, 3.9, 4], buckets: 4))
    #expect(histogram.limits == [1, 2, 3, 4])
    #expect(histogram.counts == [2, 1, 1, 2])
    #expect(histogram.minimum == 0 && histogram.maximum == 4 && histogram.count == 6)
    #expect(histogram.sum == 11.4)
  }

  @Test func whatIsNotFiniteIsLeftOut() throws {
    let histogram = try #require(Histogram([.nan, 2, -.infinity, 2, .infinity], buckets: 3))
    #expect(histogram.limits == [2])
    #expect(histogram.counts == [2])
    #expect(Histogram([.nan]) == nil)
    #expect(Histogram([]) == nil)
  }

  @Test func theWidestRange() throws {
    let most = Double.greatestFiniteMagnitude
    let histogram = try #require(Histogram([-most, 0, most], buckets: 2))
    #expect(histogram.counts == [1, 2])
    #expect(histogram.limits == [0, most])
  }

  @Test func tensorsOfAnyType() throws {
    let histogram = try #require(try Histogram(Tensor([1, 2, 3, 4] as [Int64]), buckets: 3))
    #expect(histogram.counts == [1, 1, 2])
    #expect(try Histogram(Tensor([0.5, 1.5] as [Float]), buckets: 2)?.counts == [1, 1])
    #expect(try Histogram(Tensor.zeros([0])) == nil)
  }
}
