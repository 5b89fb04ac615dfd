#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstdlib>
#include <cstring>

#include "distributed_internal.h"

extern "C" {

ct_store ct_store_tcp(
    const char* host, int port, bool server, int listen_descriptor, int64_t timeout_milliseconds, int* bound_port) {
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = server;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_milliseconds);
    if (listen_descriptor >= 0) options.masterListenFd = listen_descriptor;
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    *bound_port = store->getPort();
    return new ct_store_s{std::move(store)};
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

ct_store ct_store_prefix(const char* prefix, ct_store store) {
  try {
    return new ct_store_s{c10::make_intrusive<c10d::PrefixStore>(prefix, store->store)};
  } catch (...) {
    ct::capture();
    return nullptr;
  }
}

void ct_store_release(ct_store store) { delete store; }

bool ct_store_set(ct_store store, const char* key, const void* bytes, intptr_t count) {
  const auto* first = static_cast<const uint8_t*>(bytes);
  CT_DO(store->store->set(key, std::vector<uint8_t>(first, first + count)))
}

bool ct_store_get(ct_store store, const char* key, void** bytes, intptr_t* count) {
  try {
    const auto value = store->store->get(key);
    *bytes = std::malloc(value.size() + 1);
    *count = static_cast<intptr_t>(value.size());
    std::memcpy(*bytes, value.data(), value.size());
    return true;
  } catch (...) {
    ct::capture();
    return false;
  }
}

bool ct_store_add(ct_store store, const char* key, int64_t amount, int64_t* result) {
  CT_DO(*result = store->store->add(key, amount))
}

int ct_store_check(ct_store store, const char* key) {
  try {
    return store->store->check({key}) ? 1 : 0;
  } catch (...) {
    ct::capture();
    return -1;
  }
}

bool ct_store_wait(ct_store store, const char* key, int64_t timeout_milliseconds) {
  CT_DO(store->store->wait({key}, std::chrono::milliseconds(timeout_milliseconds)))
}

bool ct_store_delete(ct_store store, const char* key) { CT_DO(store->store->deleteKey(key)) }
}
