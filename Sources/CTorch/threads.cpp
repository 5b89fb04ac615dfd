// What belongs to a thread: libtorch's modes, a generator of its own, and a pointer of ours.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <mutex>

#include "ctorch.h"
#include "ctorch_arguments.h"

struct ct_thread_state_s {
  at::ThreadLocalState state;
};

namespace {

thread_local void* slot = nullptr;

struct ThreadGenerator {
  std::optional<at::Generator> generator;
  uint64_t seed = 0;
  bool is_seeded = false;
};
thread_local ThreadGenerator thread_generator;

struct ReplacedGenerator {
  ThreadGenerator generator;
  bool was_included;
};

/// The key whose kernels hand out the generator of the thread: the one that libtorch leaves to modes from outside.
constexpr auto key = c10::DispatchKey::DeferredInit;

bool takesGenerator(const c10::Argument& argument) {
  const auto& type = argument.type();
  if (type->kind() == c10::TypeKind::GeneratorType) return true;
  const auto optional = type->cast<c10::OptionalType>();
  return optional && optional->getElementType()->kind() == c10::TypeKind::GeneratorType;
}

/// Puts the generator of the thread where an operation was given none, and goes on to the real kernel.
void drawFromThreadGenerator(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  auto& own = thread_generator;
  if (own.generator) {
    const auto& arguments = op.schema().arguments();
    for (size_t index = 0; index < arguments.size(); ++index) {
      auto& value = torch::jit::peek(*stack, index, arguments.size());
      if (!value.isNone() || !takesGenerator(arguments[index])) continue;
      if (!own.is_seeded) {
        own.generator->set_current_seed(own.seed);
        own.is_seeded = true;
      }
      value = *own.generator;
    }
  }
  op.redispatchBoxed(keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, key), stack);
}

/// Registers the kernels once; threads that do not turn the key on never meet them.
void installKernels() {
  static std::once_flag once;
  std::call_once(once, [] {
    static torch::Library others(torch::Library::IMPL, "_", key, __FILE__, __LINE__);
    others.fallback(torch::CppFunction::makeFallthrough());
    static torch::Library aten(torch::Library::IMPL, "aten", key, __FILE__, __LINE__);
    auto& dispatcher = c10::Dispatcher::singleton();
    for (const auto& name : dispatcher.getAllOpNames()) {
      if (name.name.rfind("aten::", 0) != 0) continue;
      const auto op = dispatcher.findSchema(name);
      if (!op) continue;
      const auto& arguments = op->schema().arguments();
      if (std::none_of(arguments.begin(), arguments.end(), takesGenerator)) continue;
      const auto text = name.name.substr(6) + (name.overload_name.empty() ? "" : "." + name.overload_name);
      aten.impl(text.c_str(), torch::CppFunction::makeFromBoxedFunction<&drawFromThreadGenerator>());
    }
  });
}

}  // namespace

extern "C" {

void* ct_thread_slot_get(void) { return slot; }
void ct_thread_slot_set(void* value) { slot = value; }

ct_thread_state ct_thread_state_capture(void) { return new ct_thread_state_s(); }
void ct_thread_state_release(ct_thread_state state) { delete state; }
void* ct_thread_state_enter(ct_thread_state state) { return new at::ThreadLocalStateGuard(state->state); }
void ct_thread_state_exit(void* guard) { delete static_cast<at::ThreadLocalStateGuard*>(guard); }

bool ct_thread_generator_enter(ct_generator generator, uint64_t seed) {
  CT_DO(installKernels(); thread_generator = {generator->generator, seed, false};
        c10::impl::tls_set_dispatch_key_included(key, true))
}
void ct_thread_generator_exit(void) {
  thread_generator = {};
  c10::impl::tls_set_dispatch_key_included(key, false);
}

ct_tensor ct_random_state(void) {
  try {
    auto& own = thread_generator;
    if (!own.generator) {
      auto generator = at::detail::getDefaultCPUGenerator();
      std::lock_guard<std::mutex> lock(generator.mutex());
      return ct::own(generator.get_state());
    }
    if (!own.is_seeded) {
      own.generator->set_current_seed(own.seed);
      own.is_seeded = true;
    }
    return ct::own(own.generator->get_state());
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}
void* ct_random_replay_enter(ct_tensor state) {
  try {
    installKernels();
    auto generator = at::detail::createCPUGenerator();
    generator.set_state(ct::ref(state));
    auto* before = new ReplacedGenerator{thread_generator, c10::impl::tls_is_dispatch_key_included(key)};
    thread_generator = {generator, 0, true};
    c10::impl::tls_set_dispatch_key_included(key, true);
    return before;
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}
void ct_random_replay_exit(void* guard) {
  auto* before = static_cast<ReplacedGenerator*>(guard);
  thread_generator = before->generator;
  c10::impl::tls_set_dispatch_key_included(key, before->was_included);
  delete before;
}
}
