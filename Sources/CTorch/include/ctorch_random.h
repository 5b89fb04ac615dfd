#pragma once
#include "ctorch_types.h"
CT_BEGIN
/// A new CPU generator (Mersenne twister 19937).
ct_generator ct_generator_create(uint64_t seed);
ct_generator ct_generator_default(void);
void ct_generator_release(ct_generator generator);
void ct_generator_set_seed(ct_generator generator, uint64_t seed);
uint64_t ct_generator_seed(ct_generator generator);
ct_tensor ct_generator_state(ct_generator generator);
bool ct_generator_set_state(ct_generator generator, ct_tensor state);
/// The next 64 random bits.
uint64_t ct_generator_draw(ct_generator generator);
/// Seeds the default generators of every device.
void ct_manual_seed(uint64_t seed);
CT_END
