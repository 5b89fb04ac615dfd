// Tensors of a replica: leaves on the storage of a parameter, and the way of their gradients into the parameter's.
#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include "ctorch.h"
#include "ctorch_arguments.h"

using ct::ref;

namespace {

/// Neither the graph nor inference mode of the caller concerns what is made for later steps.
struct OutsideModes {
  c10::InferenceMode inference{false};
  c10::NoGradGuard grad;
};

void take(const at::Tensor& target, const at::Tensor& source) {
  auto& gradient = source.mutable_grad();
  if (!gradient.defined()) return;
  auto& sum = target.mutable_grad();
  auto own = gradient.device() == target.device() ? gradient : gradient.to(target.device());
  if (sum.defined()) {
    sum.add_(own);
  } else {
    sum = std::move(own);
  }
  gradient.reset();
}

}  // namespace

extern "C" {

ct_tensor ct_replica_alias(ct_tensor tensor) {
  try {
    OutsideModes modes;
    auto alias = ref(tensor).detach();
    alias.set_requires_grad(ref(tensor).requires_grad());
    return ct::own(std::move(alias));
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

ct_tensor ct_replica_copy(ct_tensor tensor, ct_device device) {
  try {
    OutsideModes modes;
    return ct::own(ref(tensor).to(ct::device(device), ref(tensor).scalar_type(), false, true));
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

int64_t ct_tensor_version(ct_tensor tensor) {
  const auto& self = ref(tensor);
  if (!self.defined() || self.is_inference()) return -1;
  return static_cast<int64_t>(self.unsafeGetTensorImpl()->version_counter().current_version());
}

bool ct_take_gradients(
    const ct_tensor* targets, const ct_tensor* sources, intptr_t count, intptr_t replica_count,
    const intptr_t* indices, intptr_t index_count) {
  try {
    OutsideModes modes;
    for (intptr_t position = 0; position < index_count; ++position) {
      const intptr_t index = indices[position];
      for (intptr_t replica = 0; replica < replica_count; ++replica) {
        take(ref(targets[index]), ref(sources[replica * count + index]));
      }
    }
    return true;
  } catch (...) {
    ct::capture();
    return false;
  }
}
}
