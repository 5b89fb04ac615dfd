import Foundation
import Synchronization
import Testing
import Torch

@testable import Stratagem

@Suite("The thread that communicates")
struct CommunicationThreadTests {
  private struct Failure: Error {}

  @Test("jobs run in order, without recording, beside the thread that submits them")
  func order() throws {
    let thread = try CommunicationThread("test")
    let done = Mutex([Int]())
    let main = pthread_self()
    for number in 0..<100 {
      thread.submit {
        done.withLock { $0.append(number) }
        #expect(pthread_equal(main, pthread_self()) == 0 && !isGradientEnabled)
      }
    }
    try thread.wait()
    #expect(done.withLock { $0 } == Array(0..<100))
    #expect(thread.end())
    #expect(thread.end())
  }

  @Test("the first error is told, and what was to come after it is dropped")
  func failure() throws {
    let thread = try CommunicationThread("test")
    let ran = Atomic<Int>(0)
    let gate = DispatchSemaphore(value: 0)
    thread.submit {
      gate.wait()
      throw Failure()
    }
    thread.submit { ran.add(1, ordering: .relaxed) }
    gate.signal()
    #expect(throws: Failure.self) { try thread.wait() }
    #expect(ran.load(ordering: .relaxed) == 0)
    thread.submit { ran.add(1, ordering: .relaxed) }
    try thread.wait()
    #expect(ran.load(ordering: .relaxed) == 1)
    thread.submit { _ = Tensor([1, 2] as [Float]).matmul(Tensor([1, 2, 3] as [Float])) }
    #expect(throws: TorchError.self) { try thread.wait() }
    #expect(thread.end())
  }

  @Test("a job that hangs does not keep the end waiting for ever")
  func stuck() throws {
    let thread = try CommunicationThread("test")
    let gate = DispatchSemaphore(value: 0)
    let started = DispatchSemaphore(value: 0)
    thread.submit {
      started.signal()
      gate.wait()
    }
    // A job that has not begun would be dropped.
    started.wait()
    #expect(!thread.end(seconds: 0.05))
    gate.signal()
    #expect(thread.end(seconds: 30))
  }
}
