#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupWrapper.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>
#include <torch/csrc/distributed/c10d/debug.h>
#include <torch/headeronly/version.h>

#include "distributed_internal.h"

#define CT_WORK(...)                     \
  try {                                  \
    return new ct_work_s{(__VA_ARGS__)}; \
  } catch (...) {                        \
    ct::capture();                       \
    return nullptr;                      \
  }

#define CT_GROUP(...)    \
  try {                  \
    return __VA_ARGS__;  \
  } catch (...) {        \
    ct::capture();       \
    return nullptr;      \
  }

namespace {

c10d::ReduceOp operation(int code) { return c10d::ReduceOp(static_cast<c10d::ReduceOp::RedOpType>(code)); }

std::vector<at::Tensor> one(ct_tensor tensor) { return {ct::ref(tensor)}; }

c10::intrusive_ptr<c10d::Work> allGather(c10d::ProcessGroup& group, at::Tensor output, at::Tensor input) {
#if TORCH_VERSION_MINOR >= 13
  return group.all_gather_single(output, input);
#else
  return group._allgather_base(output, input);
#endif
}

c10::intrusive_ptr<c10d::Work> reduceScatter(
    c10d::ProcessGroup& group, at::Tensor output, at::Tensor input, c10d::ReduceScatterOptions options) {
#if TORCH_VERSION_MINOR >= 13
  return group.reduce_scatter_single(output, input, options);
#else
  return group._reduce_scatter_base(output, input, options);
#endif
}

c10::intrusive_ptr<c10d::Work> allToAll(c10d::ProcessGroup& group, at::Tensor output, at::Tensor input) {
  std::vector<int64_t> outputSplits, inputSplits;
#if TORCH_VERSION_MINOR >= 13
  return group.all_to_all_single(output, input, outputSplits, inputSplits);
#else
  return group.alltoall_base(output, input, outputSplits, inputSplits);
#endif
}

c10::intrusive_ptr<c10d::Work> allReduce(c10d::ProcessGroup& group, ct_tensor tensor, int code) {
  auto tensors = one(tensor);
  c10d::AllreduceOptions options;
  options.reduceOp = operation(code);
  return group.allreduce(tensors, options);
}

c10::intrusive_ptr<c10d::Work> broadcast(c10d::ProcessGroup& group, ct_tensor tensor, int source) {
  auto tensors = one(tensor);
  c10d::BroadcastOptions options;
  options.rootRank = source;
  return group.broadcast(tensors, options);
}

c10::intrusive_ptr<c10d::Work> send(c10d::ProcessGroup& group, ct_tensor tensor, int destination, int tag) {
  auto tensors = one(tensor);
  return group.send(tensors, destination, tag);
}

c10::intrusive_ptr<c10d::Work> receive(c10d::ProcessGroup& group, ct_tensor tensor, int source, int tag) {
  auto tensors = one(tensor);
  return group.recv(tensors, source, tag);
}

/// Gloo; under TORCH_DISTRIBUTED_DEBUG=DETAIL each collective is first compared over the ranks, on connections of its own.
c10::intrusive_ptr<c10d::Backend> makeBackend(
    const c10::intrusive_ptr<c10d::Store>& store, const std::string& name, int rank, int size,
    const c10::intrusive_ptr<c10d::ProcessGroupGloo::Options>& options) {
  auto make = [&](const std::string& prefix) {
    auto prefixed = c10::make_intrusive<c10d::PrefixStore>(prefix + name, store);
    return c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed, rank, size, options);
  };
  auto backend = make("gloo/");
  c10d::setDebugLevelFromEnvironment();
  if (c10d::debug_level() != c10d::DebugLevel::Detail) return backend;
  return c10::make_intrusive<c10d::ProcessGroupWrapper>(backend, make("gloo-check/"));
}

ct_group_s* makeGroup(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int64_t milliseconds,
    const std::optional<std::string>& address, const std::string& name) {
  const auto timeout = std::chrono::milliseconds(milliseconds);
  auto options = address ? c10d::ProcessGroupGloo::Options::create(timeout)
                         : c10d::ProcessGroupGloo::Options::create_default(timeout);
  if (address) options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(*address));
  auto backend = makeBackend(store, name, rank, size, options);
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  for (auto device : {c10::DeviceType::CPU, c10::DeviceType::CUDA}) {
    group->setBackend(device, c10d::ProcessGroup::BackendType::GLOO, backend);
  }
  group->setGroupName(name);
  group->setGroupDesc(name);
  return new ct_group_s{std::move(group), store, address};
}

}  // namespace

extern "C" {

ct_group ct_group_gloo(
    ct_store store, int rank, int size, int64_t timeout_milliseconds, const char* address, const char* name) {
  CT_GROUP(makeGroup(
      store->store, rank, size, timeout_milliseconds, address ? std::optional<std::string>(address) : std::nullopt,
      name))
}

ct_group ct_group_subgroup(ct_group parent, int rank, int size, int64_t timeout_milliseconds, const char* name) {
  CT_GROUP(makeGroup(
      parent->store, rank, size, timeout_milliseconds, parent->address, parent->group->getGroupName() + "/" + name))
}

void ct_group_release(ct_group group) { delete group; }

ct_work ct_all_reduce(ct_group group, ct_tensor tensor, int code) { CT_WORK(allReduce(*group->group, tensor, code)) }
ct_work ct_broadcast(ct_group group, ct_tensor tensor, int source) {
  CT_WORK(broadcast(*group->group, tensor, source))
}
ct_work ct_all_gather(ct_group group, ct_tensor output, ct_tensor input) {
  CT_WORK(allGather(*group->group, ct::ref(output), ct::ref(input)))
}
ct_work ct_reduce_scatter(ct_group group, ct_tensor output, ct_tensor input, int code) {
  c10d::ReduceScatterOptions options;
  options.reduceOp = operation(code);
  CT_WORK(reduceScatter(*group->group, ct::ref(output), ct::ref(input), options))
}
ct_work ct_all_to_all(ct_group group, ct_tensor output, ct_tensor input) {
  CT_WORK(allToAll(*group->group, ct::ref(output), ct::ref(input)))
}
ct_work ct_send(ct_group group, ct_tensor tensor, int destination, int tag) {
  CT_WORK(send(*group->group, tensor, destination, tag))
}
ct_work ct_receive(ct_group group, ct_tensor tensor, int source, int tag) {
  CT_WORK(receive(*group->group, tensor, source, tag))
}
ct_work ct_barrier(ct_group group) { CT_WORK(group->group->barrier()) }

bool ct_broadcast_coalesced(
    ct_group group, const ct_tensor* tensors, intptr_t count, size_t buffer_bytes, int source) {
  CT_DO(c10d::broadcast_coalesced(group->group, ct::list(tensors, count), buffer_bytes, source))
}

bool ct_work_wait(ct_work work) { CT_DO(work->work->wait()) }
bool ct_work_is_completed(ct_work work) { return work->work->isCompleted(); }
void ct_work_release(ct_work work) { delete work; }
}
