#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/Generator.h>

#include <mutex>

#include "ctorch.h"
#include "ctorch_arguments.h"


extern "C" {

ct_generator ct_generator_create(uint64_t seed) { return new ct_generator_s{at::detail::createCPUGenerator(seed)}; }
ct_generator ct_generator_default(void) { return new ct_generator_s{at::detail::getDefaultCPUGenerator()}; }
void ct_generator_release(ct_generator generator) { delete generator; }
void ct_generator_set_seed(ct_generator generator, uint64_t seed) {
  std::lock_guard<std::mutex> lock(generator->generator.mutex());
  generator->generator.set_current_seed(seed);
}
uint64_t ct_generator_seed(ct_generator generator) {
  std::lock_guard<std::mutex> lock(generator->generator.mutex());
  return generator->generator.current_seed();
}
ct_tensor ct_generator_state(ct_generator generator) {
  try {
    std::lock_guard<std::mutex> lock(generator->generator.mutex());
    return ct::own(generator->generator.get_state());
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}
bool ct_generator_set_state(ct_generator generator, ct_tensor state) {
  try {
    std::lock_guard<std::mutex> lock(generator->generator.mutex());
    generator->generator.set_state(ct::ref(state));
    return true;
  } catch (...) {
    ct::capture();
    return false;
  }
}
uint64_t ct_generator_draw(ct_generator generator) {
  std::lock_guard<std::mutex> lock(generator->generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator->generator)->random64();
}
void ct_manual_seed(uint64_t seed) { at::manual_seed(seed); }
}
