#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/List.h>
#include <ATen/ops/_local_scalar_dense_ops.h>
#include <ATen/ops/empty_ops.h>
#include <ATen/ops/index_ops.h>
#include <ATen/ops/index_put_ops.h>
#include <ATen/ops/slice_ops.h>
#include <c10/core/GradMode.h>

#include <cstring>
#include <optional>

#include "ctorch.h"
#include "ctorch_internal.h"
#include "ctorch_recording.h"

using ct::ref;

namespace {

c10::List<std::optional<at::Tensor>> optionalList(const ct_tensor* handles, intptr_t count) {
  c10::List<std::optional<at::Tensor>> tensors;
  tensors.reserve(static_cast<size_t>(count));
  for (intptr_t i = 0; i < count; ++i) {
    tensors.push_back(handles[i] ? std::optional<at::Tensor>(ref(handles[i])) : std::nullopt);
  }
  return tensors;
}

/// A single number that can be read without the dispatcher: what a loss is.
bool isFloatInMemory(const at::Tensor& tensor) {
  return tensor.defined() && tensor.is_cpu() && tensor.layout() == at::kStrided && tensor.numel() == 1 && !tensor.is_neg() &&
      tensor.scalar_type() == at::kFloat && tensor.has_storage() && tensor.storage().data() != nullptr;
}

}  // namespace

extern "C" {

void ct_tensor_release(ct_tensor tensor) {
  if (tensor) ct::adopt(tensor);
}
ct_tensor ct_tensor_retain(ct_tensor tensor) { return ct::own(ref(tensor)); }
ct_tensor ct_tensor_undefined(void) { return ct::own(at::Tensor()); }
bool ct_tensor_is_defined(ct_tensor tensor) { return ref(tensor).defined(); }

ct_tensor ct_tensor_from_bytes(
    const void* bytes, size_t byte_count, const intptr_t* shape, intptr_t ndim, int dtype) {
  try {
    ct::Paused paused;
    auto tensor = at::_ops::empty_memory_format::call(
        c10::fromIntArrayRefSlow(ct::ints(shape, ndim)), static_cast<at::ScalarType>(dtype), std::nullopt,
        std::nullopt, std::nullopt, std::nullopt);
    TORCH_CHECK(
        tensor.nbytes() == byte_count, "shape ", tensor.sizes(), " takes ", tensor.numel(), " values, but ",
        byte_count / tensor.element_size(), " are given");
    if (byte_count > 0) std::memcpy(tensor.data_ptr(), bytes, byte_count);
    return ct::own(std::move(tensor));
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

intptr_t ct_tensor_ndim(ct_tensor tensor) { return ref(tensor).defined() ? ref(tensor).dim() : 0; }
void ct_tensor_shape(ct_tensor tensor, intptr_t* sizes) {
  if (!ref(tensor).defined()) return;
  for (auto size : ref(tensor).sizes()) *sizes++ = size;
}
void ct_tensor_strides(ct_tensor tensor, intptr_t* strides) {
  if (!ref(tensor).defined()) return;
  for (auto stride : ref(tensor).strides()) *strides++ = stride;
}
intptr_t ct_tensor_size(ct_tensor tensor, intptr_t dim) {
  const auto& self = ref(tensor);
  if (!self.defined()) return 0;
  const auto wrapped = dim < 0 ? dim + self.dim() : dim;
  return wrapped >= 0 && wrapped < self.dim() ? self.sizes()[static_cast<size_t>(wrapped)] : -1;
}
intptr_t ct_tensor_count(ct_tensor tensor) { return ref(tensor).defined() ? ref(tensor).numel() : 0; }
intptr_t ct_tensor_element_size(ct_tensor tensor) {
  return ref(tensor).defined() ? static_cast<intptr_t>(ref(tensor).element_size()) : 0;
}
int ct_tensor_dtype(ct_tensor tensor) { return static_cast<int>(ref(tensor).scalar_type()); }
ct_device ct_tensor_device(ct_tensor tensor) {
  if (!ref(tensor).defined()) return {0, -1};
  const auto device = ref(tensor).device();
  return {static_cast<int32_t>(device.type()), static_cast<int32_t>(device.index())};
}
bool ct_tensor_is_contiguous(ct_tensor tensor) { return ref(tensor).defined() && ref(tensor).is_contiguous(); }
intptr_t ct_tensor_storage_offset(ct_tensor tensor) {
  return ref(tensor).defined() ? ref(tensor).storage_offset() : 0;
}
intptr_t ct_tensor_storage_bytes(ct_tensor tensor) {
  return ref(tensor).defined() && ref(tensor).has_storage() ? static_cast<intptr_t>(ref(tensor).storage().nbytes()) : 0;
}
void* ct_tensor_storage_address(ct_tensor tensor) {
  if (!ref(tensor).defined() || !ref(tensor).has_storage()) return nullptr;
  return const_cast<void*>(ref(tensor).storage().data());
}
void* ct_tensor_data(ct_tensor tensor) {
  try {
    TORCH_CHECK(ref(tensor).device().is_cpu(), "the elements of a tensor on ", ref(tensor).device(),
                " cannot be addressed; move it to the cpu first");
    return ref(tensor).data_ptr();
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}
bool ct_tensor_item(ct_tensor tensor, double* value) {
  if (isFloatInMemory(ref(tensor))) {
    *value = *static_cast<const float*>(ref(tensor).const_data_ptr());
    return true;
  }
  CT_DO(*value = ref(tensor).item().toDouble())
}
bool ct_tensor_item_int(ct_tensor tensor, intptr_t* value) { CT_DO(*value = ref(tensor).item().toLong()) }

ct_tensor ct_tensor_index(ct_tensor self, const ct_tensor* indices, intptr_t count) {
  CT_TENSOR(at::_ops::index_Tensor::call(ref(self), optionalList(indices, count)))
}
bool ct_tensor_index_put(
    ct_tensor self, const ct_tensor* indices, intptr_t count, ct_tensor values, bool accumulate) {
  CT_DO(at::_ops::index_put_::call(ct::mut(self), optionalList(indices, count), ref(values), accumulate))
}
ct_tensor ct_tensor_rows(ct_tensor self, intptr_t start, intptr_t count) {
  try {
    std::optional<at::AutoDispatchBelowADInplaceOrView> unrecorded;
    if (!c10::GradMode::is_enabled() || !ref(self).requires_grad()) unrecorded.emplace();
    return ct::own(at::_ops::slice_Tensor::call(ref(self), 0, start, start + count, 1));
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}
ct_tensor ct_tensor_variable_data(ct_tensor tensor) { CT_TENSOR(ref(tensor).variable_data()) }
bool ct_tensor_set_data(ct_tensor tensor, ct_tensor source) { CT_DO(ref(tensor).set_data(ref(source))) }
}
