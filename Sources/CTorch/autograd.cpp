#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "ctorch.h"
#include "ctorch_closure.h"
#include "ctorch_internal.h"

using ct::Closure;
using ct::ref;

namespace {

/// libtorch keeps one hook object a tensor; this one keeps several closures in the order they were added.
class PostAccumulateHooks : public torch::autograd::PostAccumulateGradHook {
 public:
  /// A closure may remove itself or others, or add some.
  void operator()(const at::Tensor& tensor) override {
    for (auto next = entries_.begin(); next != entries_.end();) {
      const auto [key, entry] = *next;
      entry.first(entry.second.context(), ct::borrow(tensor));
      next = entries_.upper_bound(key);
    }
  }
  intptr_t add(ct_gradient_callback callback, Closure closure) {
    entries_.emplace(next_, std::make_pair(callback, std::move(closure)));
    return next_++;
  }
  void remove(intptr_t key) { entries_.erase(key); }

 private:
  std::map<intptr_t, std::pair<ct_gradient_callback, Closure>> entries_;
  intptr_t next_ = 0;
};

PostAccumulateHooks* hooks(const at::Tensor& tensor) {
  return dynamic_cast<PostAccumulateHooks*>(torch::autograd::impl::post_acc_grad_hooks(tensor).get());
}

}  // namespace

extern "C" {

bool ct_tensor_requires_grad(ct_tensor tensor) { return ref(tensor).defined() && ref(tensor).requires_grad(); }
bool ct_tensor_set_requires_grad(ct_tensor tensor, bool requires_grad) {
  CT_DO(const auto& self = ref(tensor);
        TORCH_CHECK(
            requires_grad || self.is_leaf(), "the result of a recorded operation cannot stop requiring its gradient; ",
            "use detached()");
        self.set_requires_grad(requires_grad))
}
bool ct_tensor_is_leaf(ct_tensor tensor) { return ref(tensor).defined() && ref(tensor).is_leaf(); }
bool ct_tensor_has_grad(ct_tensor tensor) { return ref(tensor).defined() && ref(tensor).grad().defined(); }
ct_tensor ct_tensor_grad(ct_tensor tensor) {
  if (!ref(tensor).defined()) return nullptr;
  const auto& gradient = ref(tensor).grad();
  return gradient.defined() ? ct::own(gradient) : nullptr;
}
bool ct_tensor_set_grad(ct_tensor tensor, ct_tensor gradient) {
  CT_DO(const auto& self = ref(tensor); const auto given = ct::copy(gradient);
        TORCH_CHECK(
            !given.defined() || given.sizes() == self.sizes(), "a gradient of shape ", given.sizes(),
            " for a tensor of shape ", self.sizes());
        self.mutable_grad() = given)
}
bool ct_tensor_grad_fn_name(ct_tensor tensor, char* name, size_t capacity) {
  try {
    const auto& self = ref(tensor);
    if (!self.defined() || !self.grad_fn()) return false;
    const std::string full = self.grad_fn()->name();
    const size_t colons = full.rfind("::");
    const std::string last = colons == std::string::npos ? full : full.substr(colons + 2);
    std::strncpy(name, last.c_str(), capacity - 1);
    name[capacity - 1] = 0;
    return true;
  } catch (...) {
    return false;
  }
}
bool ct_tensor_retain_grad(ct_tensor tensor) { CT_DO(ref(tensor).retain_grad()) }
bool ct_tensor_is_inference(ct_tensor tensor) { return ref(tensor).defined() && ref(tensor).is_inference(); }

bool ct_backward(ct_tensor root, ct_tensor gradient, bool retain_graph, bool create_graph) {
  CT_DO(torch::autograd::backward({ref(root)}, {ct::copy(gradient)}, retain_graph, create_graph))
}

bool ct_backward_all(const ct_tensor* roots, const ct_tensor* gradients, intptr_t count) {
  CT_DO(torch::autograd::backward(ct::vector(roots, count), ct::vector(gradients, count)))
}

bool ct_gradients(
    const ct_tensor* outputs, intptr_t output_count, const ct_tensor* inputs, intptr_t input_count,
    const ct_tensor* output_gradients, bool retain_graph, bool create_graph, bool allow_unused, ct_tensor* results) {
  try {
    std::vector<at::Tensor> seeds;
    if (output_gradients) seeds = ct::vector(output_gradients, output_count);
    auto gradients = torch::autograd::grad(
        ct::vector(outputs, output_count), ct::vector(inputs, input_count), seeds, retain_graph, create_graph,
        allow_unused);
    for (auto& gradient : gradients) *results++ = gradient.defined() ? ct::own(std::move(gradient)) : nullptr;
    return true;
  } catch (...) {
    ct::capture();
    return false;
  }
}

bool ct_grad_mode(void) { return c10::GradMode::is_enabled(); }
void ct_set_grad_mode(bool enabled) { c10::GradMode::set_enabled(enabled); }
bool ct_inference_mode(void) { return c10::InferenceMode::is_enabled(); }
void* ct_inference_enter(bool enabled) { return new c10::InferenceMode(enabled); }
void ct_inference_exit(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
bool ct_set_anomaly_mode(bool enabled, bool check_nan) {
  CT_DO(torch::autograd::AnomalyMode::set_enabled(enabled, check_nan))
}
bool ct_anomaly_mode(void) { return torch::autograd::AnomalyMode::is_enabled(); }
bool ct_anomaly_checks_nan(void) { return torch::autograd::AnomalyMode::should_check_nan(); }

bool ct_autocast_enabled(int device_kind) {
  return at::autocast::is_autocast_enabled(static_cast<at::DeviceType>(device_kind));
}
void ct_set_autocast(int device_kind, bool enabled, int dtype) {
  const auto device = static_cast<at::DeviceType>(device_kind);
  at::autocast::set_autocast_enabled(device, enabled);
  at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(dtype));
}
int ct_autocast_dtype(int device_kind) {
  return static_cast<int>(at::autocast::get_autocast_dtype(static_cast<at::DeviceType>(device_kind)));
}
void ct_autocast_nesting(int delta) {
  if (delta > 0) {
    at::autocast::increment_nesting();
  } else if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();
  }
}
bool ct_autocast_cache(bool enabled) {
  const bool before = at::autocast::is_autocast_cache_enabled();
  at::autocast::set_autocast_cache_enabled(enabled);
  return before;
}

intptr_t ct_add_post_accumulate_hook(
    ct_tensor tensor, ct_gradient_callback callback, void* context, ct_release_callback release) {
  Closure closure(context, release);
  try {
    const auto& self = ref(tensor);
    TORCH_CHECK(self.is_leaf() && self.requires_grad(), "a hook that runs after a gradient was accumulated needs a ",
                "leaf that requires its gradient");
    if (!hooks(self)) {
      torch::autograd::impl::set_post_acc_grad_hooks(self, std::make_unique<PostAccumulateHooks>());
    }
    return hooks(self)->add(callback, std::move(closure));
  } catch (...) {
    ct::capture();
    return -1;
  }
}

void ct_remove_post_accumulate_hook(ct_tensor tensor, intptr_t key) {
  if (auto* entries = hooks(ref(tensor))) entries->remove(key);
}

intptr_t ct_add_gradient_hook(
    ct_tensor tensor, ct_gradient_transform transform, void* context, ct_release_callback release) {
  Closure closure(context, release);
  try {
    return ref(tensor).register_hook([transform, closure](const at::Tensor& gradient) -> at::Tensor {
      ct_tensor replacement = transform(closure.context(), ct::borrow(gradient));
      return replacement ? ct::adopt(replacement) : gradient;
    });
  } catch (...) {
    ct::capture();
    return -1;
  }
}

void ct_remove_gradient_hook(ct_tensor tensor, intptr_t key) {
  try {
    ref(tensor).remove_hook(static_cast<unsigned>(key));
  } catch (...) {
    ct::capture();
  }
}
}
