// The sections of the file, each with the table of its keys.
#pragma once

#include <tuple>

#include <sluice/config/config.hpp>

#include "table.hpp"

namespace sluice::config {

// tables_file.cpp
template <>
const Table<Config>& table<Config>();
template <>
const Table<mapping::Source>& table<mapping::Source>();
// tables_ingest.cpp
template <>
const Table<Ingest>& table<Ingest>();
template <>
const Table<Limits>& table<Limits>();
template <>
const Table<ServerTls>& table<ServerTls>();
template <>
const Table<Producer>& table<Producer>();
template <>
const Table<Admin>& table<Admin>();
[[nodiscard]] Keys producer_key_keys();
// tables_workspace.cpp
template <>
const Table<Workspace>& table<Workspace>();
template <>
const Table<Auth>& table<Auth>();
// tables_delivery.cpp
template <>
const Table<Buffer>& table<Buffer>();
template <>
const Table<Batch>& table<Batch>();
template <>
const Table<Delivery>& table<Delivery>();
template <>
const Table<Backoff>& table<Backoff>();
template <>
const Table<Passthrough>& table<Passthrough>();
template <>
const Table<Dedup>& table<Dedup>();
template <>
const Table<DeadLetter>& table<DeadLetter>();
template <>
const Table<Log>& table<Log>();

// All of them, in the order of the schema.
using Tables =
    std::tuple<Config, Ingest, Limits, ServerTls, Producer, Admin, Workspace, Auth, Buffer, Batch,
               Delivery, Backoff, Passthrough, Dedup, DeadLetter, Log, mapping::Source>;

}  // namespace sluice::config
