internal import CTorch

/// One pointer that belongs to the calling thread, `nil` at first: reading it costs as much as a call.
package enum ThreadSlot {
  package static var value: UnsafeMutableRawPointer? {
    get { ct_thread_slot_get() }
    set { ct_thread_slot_set(newValue) }
  }
}
