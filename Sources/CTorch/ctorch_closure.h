#pragma once
#include <memory>

#include "ctorch_autograd.h"

namespace ct {

/// A Swift closure, released when the last copy goes.
class Closure {
 public:
  Closure() = default;
  Closure(void* context, ct_release_callback release)
      : context_(context, [release](void* pointer) { release(pointer); }) {}
  void* context() const { return context_.get(); }

 private:
  std::shared_ptr<void> context_;
};

}  // namespace ct
