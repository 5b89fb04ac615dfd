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

/// The backends of a group meet under names of their own.
c10::intrusive_ptr<c10d::Store> prefixed(
    const c10::intrusive_ptr<c10d::Store>& store, const char* prefix, const std::string& name) {
  return c10::make_intrusive<c10d::PrefixStore>(prefix + name, store);
}

ct_group_s* makeGroup(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int64_t milliseconds,
    const std::optional<std::string>& address, bool hasNCCL, const std::string& name) {
  const auto timeout = std::chrono::milliseconds(milliseconds);
  auto options = address ? c10d::ProcessGroupGloo::Options::create(timeout)
                         : c10d::ProcessGroupGloo::Options::create_default(timeout);
  if (address) options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(*address));
  auto makeGloo = [&](const char* prefix) {
    return c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed(store, prefix, name), rank, size, options);
  };
  // Under TORCH_DISTRIBUTED_DEBUG=DETAIL each collective is first compared over the ranks, on connections of its own.
  c10d::setDebugLevelFromEnvironment();
  auto compared = [&](c10::intrusive_ptr<c10d::Backend> backend, const char* prefix) {
    if (c10d::debug_level() != c10d::DebugLevel::Detail) return backend;
    return c10::intrusive_ptr<c10d::Backend>(
        c10::make_intrusive<c10d::ProcessGroupWrapper>(backend, makeGloo(prefix)));
  };
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  // Barriers go by the default backend, and Gloo's can be given up.
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  auto gloo = compared(makeGloo("gloo/"), "gloo-check/");
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  auto made = std::make_unique<ct_group_s>(std::move(group), store, address, nullptr);
  if (hasNCCL) {
    made->nccl = ct::makeNCCL(prefixed(store, "nccl/", name), rank, size, timeout, name);
    made->group->setBackend(
        c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, compared(made->nccl, "nccl-check/"));
  } else {
    made->group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::GLOO, gloo);
  }
  made->group->setGroupName(name);
  made->group->setGroupDesc(name);
  return made.release();
}

}  // namespace

ct_group_s::ct_group_s(
    c10::intrusive_ptr<c10d::ProcessGroup> group, c10::intrusive_ptr<c10d::Store> store,
    std::optional<std::string> address, c10::intrusive_ptr<c10d::Backend> nccl)
    : group(std::move(group)), store(std::move(store)), address(std::move(address)), nccl(std::move(nccl)) {}

ct_group_s::~ct_group_s() {
  if (nccl) ct::endNCCL(*nccl);
}

extern "C" {

ct_group ct_group_make(
    ct_store store, int rank, int size, int64_t timeout_milliseconds, const char* address, bool nccl,
    const char* name) {
  CT_GROUP(makeGroup(
      store->store, rank, size, timeout_milliseconds, address ? std::optional<std::string>(address) : std::nullopt,
      nccl, name))
}

ct_group ct_group_subgroup(ct_group parent, int rank, int size, int64_t timeout_milliseconds, const char* name) {
  CT_GROUP(makeGroup(
      parent->store, rank, size, timeout_milliseconds, parent->address, parent->nccl != nullptr,
      parent->group->getGroupName() + "/" + name))
}

bool ct_group_connect(ct_group group, int cuda_device) {
  CT_DO(group->nccl->eagerConnectSingleDevice(
      c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(cuda_device))))
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
bool ct_batch_begin(ct_group group) { CT_DO(group->nccl->startCoalescing()) }
ct_work ct_batch_end(ct_group group) { CT_WORK(group->nccl->endCoalescing()) }
void ct_batch_cancel(ct_group group) {
  try {
    group->nccl->endCoalescing();
  } catch (...) {
    // What went wrong is known.
  }
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
