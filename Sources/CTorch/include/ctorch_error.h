#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// Message of the calling thread's last failed call; empty when there is none.
const char *ct_error_message(void);
/// Source line of the innermost Swift frame outside `library_root`, found by unwinding the stack of the failure.
/// Returns false when no such frame has line information.
bool ct_error_location(const char *library_root, char *file, size_t capacity, intptr_t *line);
/// Source line of the innermost Swift frame outside `library_root` of the caller's stack.
bool ct_call_location(const char *library_root, char *file, size_t capacity, intptr_t *line);
void ct_error_clear(void);

/// Per-thread slot in which the Swift side keeps its innermost error scope.
void *ct_scope_get(void);
void ct_scope_set(void *scope);
CT_END
