// Stands in for a gloo header that the libtorch wheel does not ship: c10d only passes pointers to these.
#pragma once
namespace gloo::transport {
class Device;
class UnboundBuffer;
}  // namespace gloo::transport
