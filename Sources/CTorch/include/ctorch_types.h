#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define CT_BEGIN extern "C" {
#define CT_END }
#else
#define CT_BEGIN
#define CT_END
#endif

typedef struct ct_tensor_s *ct_tensor;
typedef struct ct_generator_s *ct_generator;

enum { ct_scalar_none = -1, ct_scalar_double = 0, ct_scalar_int = 1, ct_scalar_bool = 2 };

/// A number as an operator argument; `kind` says which member counts.
typedef struct ct_scalar {
  int32_t kind;
  double floating;
  intptr_t integer;
} ct_scalar;

/// A device: `kind` is a `c10::DeviceType`, or -1 for "not given"; `index` is -1 for "the current one".
typedef struct ct_device {
  int32_t kind;
  int32_t index;
} ct_device;
