// Tensors without memory: what is done with them is recorded, and done when their numbers are asked for.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/library.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>

#include "ctorch.h"
#include "ctorch_arguments.h"
#include "ctorch_closure.h"
#include "ctorch_recording.h"

namespace {

using torch::jit::Stack;

using ct::Paused;
constexpr auto key = ct::recordingKey;

/// What is computed while recording has nothing to do with the caller's graph.
struct Computing : Paused {
  c10::InferenceMode inference{false};
  c10::NoGradGuard grad;
};

template <class Body>
void visit(const c10::IValue& value, Body body) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) body(value.toTensor());
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) visit(element, body);
  }
}

template <class Body>
c10::IValue mapped(const c10::IValue& value, Body body) {
  if (value.isTensor()) return value.toTensor().defined() ? c10::IValue(body(value.toTensor())) : value;
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(body(tensor));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const c10::IValue& element : value.toListRef()) {
      list.push_back(element.isTensor() ? std::optional<at::Tensor>(body(element.toTensor())) : std::nullopt);
    }
    return list;
  }
  return value;
}

/// A tensor like `tensor` whose numbers are whatever there is, or none at all on the meta device.
at::Tensor like(const at::Tensor& tensor, c10::DeviceType device) {
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(device).requires_grad(false));
}

bool isGenerator(const c10::Argument& argument) {
  const auto& type = argument.type();
  if (type->kind() == c10::TypeKind::GeneratorType) return true;
  const auto optional = type->cast<c10::OptionalType>();
  return optional && optional->getElementType()->kind() == c10::TypeKind::GeneratorType;
}

bool writes(const c10::Argument& argument) { return argument.alias_info() && argument.alias_info()->isWrite(); }

bool holdsTensors(const c10::Argument& argument) {
  const auto& type = argument.type();
  if (type->kind() == c10::TypeKind::ListType) {
    return type->expectRef<c10::ListType>().getElementType()->kind() == c10::TypeKind::TensorType;
  }
  return type->kind() == c10::TypeKind::TensorType;
}

/// In-place operations that leave nothing of what was there before.
bool overwrites(const c10::OperatorHandle& op) {
  static const std::set<std::string> names = {"aten::uniform_", "aten::normal_", "aten::random_",
                                              "aten::exponential_", "aten::cauchy_", "aten::log_normal_",
                                              "aten::geometric_"};
  return names.count(op.operator_name().name) > 0;
}

at::Tensor stateOf(at::Generator& generator) {
  std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void setState(at::Generator& generator, const at::Tensor& state) {
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

bool isSame(const at::Tensor& left, const at::Tensor& right) {
  return left.nbytes() == right.nbytes() && std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

at::Generator& defaultGenerator() { return const_cast<at::Generator&>(at::detail::getDefaultCPUGenerator()); }

/// Lets the default generator draw what it once drew.
class Rewound {
 public:
  explicit Rewound(const at::Tensor& state) : now_(stateOf(defaultGenerator())) { setState(defaultGenerator(), state); }
  ~Rewound() { setState(defaultGenerator(), now_); }

 private:
  at::Tensor now_;
};

/// One recorded operation, or, without `op`, a closure that overwrites `target`.
struct Entry {
  std::optional<c10::OperatorHandle> op;
  Stack arguments;
  /// Without memory, in the order of the returned tensors.
  std::vector<at::Tensor> results;
  /// Tensors with memory among the arguments, and their versions.
  std::vector<std::pair<at::Tensor, int64_t>> constants;
  /// Of the generator before random numbers were drawn; undefined when none were.
  at::Tensor state;
  bool has_own_generator = false;

  at::Tensor target;
  ct_fill_callback fill = nullptr;
  ct::Closure closure;

  template <class Body>
  void inputs(Body body) const {
    if (target.defined()) body(target);
    for (const auto& argument : arguments) visit(argument, body);
  }
};

int64_t versionOf(const at::Tensor& tensor) {
  return tensor.is_inference() ? -1 : static_cast<int64_t>(tensor.unsafeGetTensorImpl()->version_counter().current_version());
}

}  // namespace

struct ct_tape_s {
  void* owner = nullptr;

  bool knows(const at::Tensor& tensor) const { return values_.count(tensor.unsafeGetTensorImpl()) > 0; }

  /// Runs an operation on tensors without memory and puts its results on the stack.
  void record(const c10::OperatorHandle& op, Stack* stack) {
    const auto& schema = op.schema();
    const size_t count = schema.arguments().size();
    Entry entry;
    entry.op = op;
    entry.arguments.assign(stack->end() - static_cast<std::ptrdiff_t>(count), stack->end());
    entry.inputs([&](const at::Tensor& tensor) {
      if (!knows(tensor)) entry.constants.emplace_back(tensor, versionOf(tensor));
    });
    const bool changes = std::any_of(schema.arguments().begin(), schema.arguments().end(), writes);
    const bool makes = std::any_of(schema.returns().begin(), schema.returns().end(), holdsTensors);
    torch::jit::drop(*stack, count);
    if ((!makes && !changes) || changesConstant(entry)) {
      // The numbers themselves are asked for.
      Computing computing;
      Stack real = realArguments(entry);
      op.callBoxed(&real);
      stack->insert(stack->end(), real.begin(), real.end());
      return;
    }
    Stack answers = draw(entry);
    if (answers.empty() || changes) answers = runWithoutMemory(entry, changes);
    const size_t index = entries_.size();
    for (size_t position = 0; position < count; ++position) {
      if (writes(schema.arguments()[position])) {
        visit(entry.arguments[position], [&](const at::Tensor& tensor) {
          if (tensor.is_meta()) touch(tensor, index);
        });
      }
    }
    for (const auto& answer : answers) {
      visit(answer, [&](const at::Tensor& tensor) {
        entry.results.push_back(tensor);
        if (tensor.is_meta()) touch(tensor, index);
      });
    }
    entries_.push_back(std::move(entry));
    stack->insert(stack->end(), answers.begin(), answers.end());
  }

  void recordFill(
      const at::Tensor& target, ct_generator generator, ct_fill_callback callback, ct::Closure closure) {
    TORCH_CHECK(knows(target), "the tensor was not made where initialisation is deferred");
    Entry entry;
    entry.target = target;
    entry.fill = callback;
    entry.closure = std::move(closure);
    entry.has_own_generator = generator != nullptr;
    auto& source = generator ? generator->generator : defaultGenerator();
    Computing computing;
    returnFreedMemory(target.nbytes());
    const auto before = stateOf(source);
    {
      const auto numbers = like(target, c10::kCPU);
      callback(
          entry.closure.context(), ct::borrow(numbers), generator ? new ct_generator_s{generator->generator} : nullptr);
    }
    if (!isSame(before, stateOf(source))) entry.state = before;
    touch(target, entries_.size());
    entries_.push_back(std::move(entry));
  }

  at::Tensor replay(const at::Tensor& target) {
    Computing computing;
    const auto& value = values_.at(target.unsafeGetTensorImpl());
    TORCH_CHECK(
        value.version < 0 || value.version == versionOf(value.meta),
        "it was changed in place after the scope that deferred its initialisation; such a change is lost, so make it inside");
    returnFreedMemory(target.nbytes());
    return compute({target}).at(target.unsafeGetTensorImpl());
  }

  intptr_t constantBytes(const at::Tensor& target) {
    size_t bytes = 0;
    for (const size_t index : plan({target}, entries_.size())) {
      for (const auto& [tensor, version] : entries_[index].constants) bytes += tensor.nbytes();
    }
    return static_cast<intptr_t>(bytes);
  }

  /// Remembers how often each tensor has been changed so far.
  void close() {
    for (auto& [impl, value] : values_) value.version = versionOf(value.meta);
    returnFreedMemory(kept_ > 1 << 20 ? kKept : 0);
  }

 private:
  struct Value {
    at::Tensor meta;
    /// Tensors of one group share a storage.
    size_t group;
    int64_t version = -1;
  };
  using Numbers = std::unordered_map<const c10::TensorImpl*, at::Tensor>;
  static constexpr size_t kKept = 32 << 20;

  /// What is made and freed between small things that stay leaves holes in the heap, as large as the model in the end: they
  /// are given back to the system now and then. `bytes` are about to be made.
  void returnFreedMemory(size_t bytes) {
    kept_ += bytes;
    if (kept_ < kKept) return;
    kept_ = 0;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
  }

  /// Draws the random numbers of an operation for real, so that its generator goes on. Answers the results as they look
  /// without memory; nothing for an operation that draws none.
  Stack draw(Entry& entry) {
    const auto& arguments = entry.op->schema().arguments();
    const auto place = std::find_if(arguments.begin(), arguments.end(), isGenerator);
    const bool takes = place != arguments.end();
    if (!takes && !entry.op->hasTag(at::Tag::nondeterministic_seeded)) return {};
    Computing computing;
    at::Generator own;
    if (takes) {
      const auto& given = entry.arguments[static_cast<size_t>(place - arguments.begin())];
      if (!given.isNone()) own = given.toGenerator();
    }
    entry.has_own_generator = own.defined();
    auto& source = own.defined() ? own : defaultGenerator();
    TORCH_CHECK(source.device().is_cpu(), "random numbers of ", source.device(), " cannot be deferred");
    if (!entry.arguments.empty() && entry.arguments[0].isTensor()) returnFreedMemory(entry.arguments[0].toTensor().nbytes());
    Stack real = overwrites(*entry.op) ? entry.arguments : realArguments(entry);
    if (overwrites(*entry.op)) real[0] = like(entry.arguments[0].toTensor(), c10::kCPU);
    const auto before = stateOf(source);
    entry.op->callBoxed(&real);
    if (!isSame(before, stateOf(source))) entry.state = before;
    return imitated(real);
  }

  /// Whether the operation writes to a tensor that has memory.
  bool changesConstant(const Entry& entry) const {
    const auto& arguments = entry.op->schema().arguments();
    bool found = false;
    for (size_t index = 0; index < arguments.size(); ++index) {
      if (!writes(arguments[index])) continue;
      visit(entry.arguments[index], [&](const at::Tensor& tensor) { found = found || !knows(tensor); });
    }
    return found;
  }

  static Stack imitated(const Stack& real) {
    Stack answers;
    for (const auto& value : real) {
      answers.push_back(mapped(value, [](const at::Tensor& tensor) { return like(tensor, c10::kMeta); }));
    }
    return answers;
  }

  Stack runWithoutMemory(const Entry& entry, bool changes) {
    const auto& arguments = entry.op->schema().arguments();
    Stack stack;
    for (size_t index = 0; index < arguments.size(); ++index) {
      const auto& value = entry.arguments[index];
      if (arguments[index].name() == "device" && (value.isDevice() || entry.constants.empty())) {
        stack.emplace_back(c10::Device(c10::kMeta));
      } else if (arguments[index].name() == "pin_memory") {
        stack.emplace_back();
      } else {
        stack.push_back(mapped(value, [&](const at::Tensor& tensor) {
          return knows(tensor) || tensor.dim() == 0 ? tensor : like(tensor, c10::kMeta);
        }));
      }
    }
    Paused paused;
    try {
      entry.op->callBoxed(&stack);
      return stack;
    } catch (const c10::NotImplementedError&) {
      // Some operations are only known to work with numbers.
      if (changes) throw;
    }
    Computing computing;
    Stack real = realArguments(entry);
    entry.op->callBoxed(&real);
    return imitated(real);
  }

  Stack realArguments(const Entry& entry) {
    std::vector<at::Tensor> tensors;
    entry.inputs([&](const at::Tensor& tensor) {
      if (knows(tensor)) tensors.push_back(tensor);
    });
    return withNumbers(entry, compute(tensors));
  }

  Stack withNumbers(const Entry& entry, const Numbers& numbers) const {
    Stack stack;
    for (const auto& argument : entry.arguments) {
      stack.push_back(mapped(argument, [&](const at::Tensor& tensor) {
        return knows(tensor) ? numbers.at(tensor.unsafeGetTensorImpl()) : tensor;
      }));
    }
    return stack;
  }

  /// Computes the numbers of some tensors as they are now, and of what they are made from.
  Numbers compute(const std::vector<at::Tensor>& targets) {
    Numbers numbers;
    for (const size_t index : plan(targets, entries_.size())) run(entries_[index], numbers);
    return numbers;
  }

  void run(const Entry& entry, Numbers& numbers) {
    for (const auto& [tensor, version] : entry.constants) {
      TORCH_CHECK(
          version == versionOf(tensor), "a tensor of shape ", tensor.sizes(),
          " that it is made from was changed in place since; give it a copy");
    }
    at::Generator own;
    std::optional<Rewound> rewound;
    if (entry.state.defined()) {
      own = at::detail::createCPUGenerator();
      own.set_state(entry.state);
      rewound.emplace(entry.state);
    }
    if (entry.fill) {
      const auto& target = numbers.at(entry.target.unsafeGetTensorImpl());
      if (entry.has_own_generator && !own.defined()) own = at::detail::createCPUGenerator();
      entry.fill(
          entry.closure.context(), ct::borrow(target), entry.has_own_generator ? new ct_generator_s{own} : nullptr);
      return;
    }
    Stack stack = withNumbers(entry, numbers);
    const auto& arguments = entry.op->schema().arguments();
    for (size_t index = 0; index < arguments.size(); ++index) {
      if (own.defined() && isGenerator(arguments[index])) stack[index] = own;
    }
    entry.op->callBoxed(&stack);
    size_t position = 0;
    for (const auto& answer : stack) {
      visit(answer, [&](const at::Tensor& tensor) {
        if (position < entry.results.size()) numbers[entry.results[position].unsafeGetTensorImpl()] = tensor;
        position += 1;
      });
    }
  }

  /// The entries that must be run, in order, for `targets` to be what they are before entry `end`.
  std::vector<size_t> plan(const std::vector<at::Tensor>& targets, size_t end) {
    std::set<size_t> chosen;
    std::unordered_map<size_t, size_t> covered;
    std::vector<std::pair<size_t, size_t>> open;
    for (const auto& target : targets) open.emplace_back(root(values_.at(target.unsafeGetTensorImpl()).group), end);
    while (!open.empty()) {
      const auto [group, limit] = open.back();
      open.pop_back();
      auto& reached = covered[group];
      if (limit <= reached) continue;
      reached = limit;
      for (const size_t index : writers_[group]) {
        if (index >= limit || !chosen.insert(index).second) continue;
        entries_[index].inputs([&](const at::Tensor& tensor) {
          const auto found = values_.find(tensor.unsafeGetTensorImpl());
          if (found != values_.end()) open.emplace_back(root(found->second.group), index);
        });
      }
    }
    return {chosen.begin(), chosen.end()};
  }

  /// Notes that entry `index` makes or changes `tensor`.
  void touch(const at::Tensor& tensor, size_t index) {
    const auto& storage = tensor.storage();
    const auto [found, is_new] = groups_.try_emplace(storage.unsafeGetStorageImpl(), parents_.size());
    if (is_new) {
      parents_.push_back(parents_.size());
      writers_.emplace_back();
      storages_.push_back(storage);
    }
    size_t group = root(found->second);
    const auto [value, is_first] = values_.try_emplace(tensor.unsafeGetTensorImpl(), Value{tensor, group});
    if (!is_first) group = unite(root(value->second.group), group);
    if (writers_[group].empty() || writers_[group].back() != index) writers_[group].push_back(index);
  }

  size_t root(size_t group) const {
    while (parents_[group] != group) group = parents_[group];
    return group;
  }

  size_t unite(size_t left, size_t right) {
    if (left == right) return left;
    std::vector<size_t> both;
    std::set_union(
        writers_[left].begin(), writers_[left].end(), writers_[right].begin(), writers_[right].end(),
        std::back_inserter(both));
    writers_[left] = std::move(both);
    parents_[right] = left;
    return left;
  }

  size_t kept_ = 0;
  std::vector<Entry> entries_;
  std::unordered_map<const c10::TensorImpl*, Value> values_;
  std::unordered_map<const c10::StorageImpl*, size_t> groups_;
  std::vector<size_t> parents_;
  /// The entries that make or change tensors of a group, in order.
  std::vector<std::vector<size_t>> writers_;
  std::vector<c10::Storage> storages_;
};

namespace {

thread_local ct_tape current = nullptr;

struct Registry {
  std::mutex mutex;
  std::set<ct_tape> tapes;
};

Registry& registry() {
  static auto* instance = new Registry();
  return *instance;
}

/// Whether an operation without tensors among its arguments makes one on the CPU.
bool makesOnCPU(const c10::FunctionSchema& schema, c10::ArrayRef<c10::IValue> arguments) {
  for (size_t index = 0; index < arguments.size(); ++index) {
    if (schema.arguments()[index].name() != "device") continue;
    return arguments[index].isNone() || (arguments[index].isDevice() && arguments[index].toDevice().is_cpu());
  }
  return false;
}

void recordOperation(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
  const auto& schema = op.schema();
  const auto arguments = torch::jit::last(*stack, schema.arguments().size());
  bool has_tensors = false, is_deferred = false;
  if (current) {
    for (const auto& argument : arguments) {
      visit(argument, [&](const at::Tensor& tensor) {
        has_tensors = true;
        is_deferred = is_deferred || current->knows(tensor);
      });
    }
  }
  if (current && (is_deferred || (!has_tensors && makesOnCPU(schema, arguments)))) return current->record(op, stack);
  Paused paused;
  op.callBoxed(stack);
}

/// Registers the kernel once; threads that do not turn the key on never meet it.
void installKernel() {
  static std::once_flag once;
  std::call_once(once, [] {
    static torch::Library all(torch::Library::IMPL, "_", key, __FILE__, __LINE__);
    all.fallback(torch::CppFunction::makeFromBoxedFunction<&recordOperation>());
  });
}

}  // namespace

extern "C" {

ct_tape ct_tape_create(void) {
  auto* tape = new ct_tape_s();
  std::lock_guard<std::mutex> lock(registry().mutex);
  registry().tapes.insert(tape);
  return tape;
}
void ct_tape_set_owner(ct_tape tape, void* owner) { tape->owner = owner; }
void ct_tape_release(ct_tape tape) {
  {
    std::lock_guard<std::mutex> lock(registry().mutex);
    registry().tapes.erase(tape);
  }
  delete tape;
}
bool ct_tape_enter(ct_tape tape) {
  CT_DO(installKernel(); current = tape; c10::impl::tls_set_dispatch_key_included(key, true))
}
void ct_tape_exit(void) {
  if (current) current->close();
  current = nullptr;
  c10::impl::tls_set_dispatch_key_included(key, false);
}
void* ct_tape_current(void) {
  return current && !c10::impl::tls_is_dispatch_key_excluded(key) ? current->owner : nullptr;
}
void* ct_tape_of(ct_tensor tensor) {
  const auto& self = ct::ref(tensor);
  if (!self.defined() || !self.is_meta()) return nullptr;
  std::lock_guard<std::mutex> lock(registry().mutex);
  for (const auto* tape : registry().tapes) {
    if (tape->knows(self)) return tape->owner;
  }
  return nullptr;
}
intptr_t ct_tape_constant_bytes(ct_tape tape, ct_tensor tensor) {
  try {
    return tape->constantBytes(ct::ref(tensor));
  } catch (...) {
    return 0;
  }
}
ct_tensor ct_tape_replay(ct_tape tape, ct_tensor tensor) { CT_TENSOR(tape->replay(ct::ref(tensor))) }
bool ct_tape_fill(
    ct_tape tape, ct_tensor tensor, ct_generator generator, ct_fill_callback callback, void* context,
    ct_release_callback release) {
  ct::Closure closure(context, release);
  CT_DO(tape->recordFill(ct::ref(tensor), generator, callback, std::move(closure)))
}
}
