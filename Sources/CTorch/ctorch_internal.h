#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/UndefinedTensorImpl.h>

#include "ctorch_types.h"

namespace ct {

static_assert(sizeof(at::Tensor) == sizeof(ct_tensor), "a handle is borrowed by reinterpreting it as a tensor");

/// Borrows a handle as a tensor: no reference-count traffic.
inline const at::Tensor& ref(const ct_tensor& handle) { return *reinterpret_cast<const at::Tensor*>(&handle); }
inline at::Tensor& mut(ct_tensor& handle) { return *reinterpret_cast<at::Tensor*>(&handle); }
/// A counted copy; the undefined tensor for NULL.
inline at::Tensor copy(const ct_tensor& handle) { return handle ? ref(handle) : at::Tensor(); }
/// Gives the reference to the caller.
inline ct_tensor own(at::Tensor&& tensor) { return reinterpret_cast<ct_tensor>(tensor.unsafeReleaseTensorImpl()); }
inline ct_tensor own(const at::Tensor& tensor) { return own(at::Tensor(tensor)); }
inline ct_tensor borrow(const at::Tensor& tensor) { return reinterpret_cast<ct_tensor>(tensor.unsafeGetTensorImpl()); }
/// Takes over a reference that the caller owned.
inline at::Tensor adopt(ct_tensor handle) {
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(
      reinterpret_cast<c10::TensorImpl*>(handle)));
}
inline at::IntArrayRef ints(const intptr_t* values, intptr_t count) {
  return at::IntArrayRef(reinterpret_cast<const int64_t*>(values), static_cast<size_t>(count));
}
inline at::ArrayRef<at::Tensor> list(const ct_tensor* handles, intptr_t count) {
  return at::ArrayRef<at::Tensor>(reinterpret_cast<const at::Tensor*>(handles), static_cast<size_t>(count));
}
inline std::vector<at::Tensor> vector(const ct_tensor* handles, intptr_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(static_cast<size_t>(count));
  for (intptr_t i = 0; i < count; ++i) tensors.push_back(copy(handles[i]));
  return tensors;
}

/// Keeps the exception being handled, and the stack, for the calling thread. Call inside `catch (...)`.
void capture() noexcept;

}  // namespace ct

#define CT_TENSOR(...)                       \
  try {                                      \
    return ct::own(__VA_ARGS__);             \
  } catch (...) {                            \
    ct::capture();                           \
    return nullptr;                          \
  }
#define CT_DO(...)                           \
  try {                                      \
    __VA_ARGS__;                             \
    return true;                             \
  } catch (...) {                            \
    ct::capture();                           \
    return false;                            \
  }
