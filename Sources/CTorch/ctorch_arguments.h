// Conversions between C arguments and at::_ops arguments, used by the generated files.
#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/IListRef.h>
#include <c10/core/Scalar.h>
#include <c10/core/SymIntArrayRef.h>
#include <c10/util/OptionalArrayRef.h>

#include <cstdlib>
#include <tuple>

#include "ctorch_internal.h"

struct ct_generator_s {
  at::Generator generator;
};

namespace ct {

inline std::optional<at::Tensor> optionalTensor(const ct_tensor& handle) {
  return handle ? std::optional<at::Tensor>(ref(handle)) : std::nullopt;
}
inline at::Scalar scalar(const ct_scalar& value) {
  switch (value.kind) {
    case ct_scalar_int: return at::Scalar(static_cast<int64_t>(value.integer));
    case ct_scalar_bool: return at::Scalar(value.integer != 0);
    default: return at::Scalar(value.floating);
  }
}
inline std::optional<at::Scalar> optionalScalar(const ct_scalar& value) {
  return value.kind == ct_scalar_none ? std::nullopt : std::optional<at::Scalar>(scalar(value));
}
inline std::optional<int64_t> optionalInt(intptr_t value, bool given) {
  return given ? std::optional<int64_t>(value) : std::nullopt;
}
inline std::optional<c10::SymInt> optionalSymInt(intptr_t value, bool given) {
  return given ? std::optional<c10::SymInt>(static_cast<int64_t>(value)) : std::nullopt;
}
inline std::optional<double> optionalDouble(double value, bool given) {
  return given ? std::optional<double>(value) : std::nullopt;
}
inline std::optional<bool> optionalBool(int value) {
  return value < 0 ? std::nullopt : std::optional<bool>(value != 0);
}
inline std::optional<c10::string_view> optionalString(const char* text) {
  return text ? std::optional<c10::string_view>(text) : std::nullopt;
}
inline std::optional<at::ScalarType> optionalType(int dtype) {
  return dtype < 0 ? std::nullopt : std::optional<at::ScalarType>(static_cast<at::ScalarType>(dtype));
}
inline at::Device device(ct_device value) {
  return at::Device(static_cast<at::DeviceType>(value.kind), static_cast<at::DeviceIndex>(value.index));
}
inline std::optional<at::Device> optionalDevice(ct_device value) {
  return value.kind < 0 ? std::nullopt : std::optional<at::Device>(device(value));
}
inline std::optional<at::Generator> optionalGenerator(ct_generator generator) {
  return generator ? std::optional<at::Generator>(generator->generator) : std::nullopt;
}
inline at::OptionalIntArrayRef optionalInts(const intptr_t* values, intptr_t count) {
  return count < 0 ? at::OptionalIntArrayRef() : at::OptionalIntArrayRef(ints(values, count));
}
inline c10::SymIntArrayRef symInts(const intptr_t* values, intptr_t count) {
  return c10::fromIntArrayRefSlow(ints(values, count));
}
inline at::OptionalSymIntArrayRef optionalSymInts(const intptr_t* values, intptr_t count) {
  return count < 0 ? at::OptionalSymIntArrayRef() : at::OptionalSymIntArrayRef(symInts(values, count));
}

template <class... Tensors, class... Outs>
inline void results(std::tuple<Tensors...>&& tensors, Outs... outs) {
  std::apply([&](auto&... tensor) { ((*outs = own(std::move(tensor))), ...); }, tensors);
}
/// The array is allocated with malloc and freed by the caller.
inline void results(std::vector<at::Tensor>&& tensors, ct_tensor** out, intptr_t* count) {
  *count = static_cast<intptr_t>(tensors.size());
  *out = static_cast<ct_tensor*>(std::malloc(sizeof(ct_tensor) * (tensors.size() + 1)));
  for (size_t i = 0; i < tensors.size(); ++i) (*out)[i] = own(std::move(tensors[i]));
}

}  // namespace ct
