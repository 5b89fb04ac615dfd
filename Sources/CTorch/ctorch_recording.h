// Recording of operations on tensors without memory, seen from code that needs the memory.
#pragma once
#include <c10/core/DispatchKey.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace ct {

/// The key whose kernel records. It stands above the one of `threads.cpp`.
constexpr auto recordingKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

/// Lets operations of this thread be what they always are.
struct Paused {
  c10::impl::ExcludeDispatchKeyGuard recording{recordingKey};
};

}  // namespace ct
