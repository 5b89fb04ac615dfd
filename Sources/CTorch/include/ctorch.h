// The C interface over libtorch that everything above is built on.
//
// Conventions:
// - A `ct_tensor` is the address of a `c10::TensorImpl`. Results are owned by the caller (`ct_tensor_release`);
//   arguments are borrowed and must stay alive during the call.
// - No C++ exception crosses this border. A function that can fail returns NULL, -1 or false; the message and the
//   call stack are then kept for the calling thread until `ct_error_clear`.
#pragma once
#include "ctorch_types.h"
#include "ctorch_error.h"
#include "ctorch_tensor.h"
#include "ctorch_autograd.h"
#include "ctorch_random.h"
#include "ctorch_runtime.h"
#include "ctorch_threads.h"
#include "ctorch_deferred.h"
#include "ctorch_generated.h"
#include "ctorch_records.h"
#include "ctorch_checksum.h"
#include "ctorch_files.h"
#include "ctorch_distributed.h"
