// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "settee/rpc/grpc/internal/builtin.h"
#include "settee/rpc/grpc/internal/status.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/grpc/proto.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// The files of all services of a server. A description belongs to its module, so its service is entered
// while it is looked at.
std::vector<ProtoFile> files_of(Server::Core& core) {
  struct Entered {
    Visit visit;
    std::vector<MethodInfo> methods;
    ServiceInfo info;
  };
  const std::shared_ptr<const ServiceTable> table = core.table();
  std::deque<Entered> entered;
  std::vector<const ServiceInfo*> services;
  for (const auto& [name, entry] : table->services) {
    Visit visit(*entry);
    if (!visit) continue;
    Entered& here = entered.emplace_back();
    here.visit = std::move(visit);
    for (const MethodEntry& method : entry->methods) here.methods.push_back(*method.info);
    here.info = {entry->key.interface_name, here.methods};
    services.push_back(&here.info);
  }
  // Their order in the file must not depend on a hash.
  std::sort(services.begin(), services.end(), [](const ServiceInfo* a, const ServiceInfo* b) {
    return a->interface_name < b->interface_name;
  });
  return proto_files(services);
}

void put_file(Output& out, const ProtoFile& file) {
  put_tag(out, 4, Wire::kLength);  // file_descriptor_response
  const std::size_t begin = begin_length(out);
  put_text(out, 1, file.descriptor);
  end_length(out, begin);
}

void put_error(Output& out, Status status, std::string_view message) {
  put_tag(out, 7, Wire::kLength);  // error_response
  const std::size_t begin = begin_length(out);
  put_number(out, 1, static_cast<std::uint64_t>(status));
  put_text(out, 2, message);
  end_length(out, begin);
}

// list_services_response
void put_services(Output& out, Server::Core& core) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : core.table()->services) {
    names.push_back(entry->key.interface_name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  put_tag(out, 6, Wire::kLength);
  const std::size_t begin = begin_length(out);
  for (const std::string& name : names) {
    put_tag(out, 1, Wire::kLength);
    const std::size_t service = begin_length(out);
    put_text(out, 1, name);
    end_length(out, service);
  }
  end_length(out, begin);
}

template <class Is>
void put_found(Output& out, Server::Core& core, std::string_view what, std::string_view name,
               Is&& is) {
  for (const ProtoFile& file : files_of(core)) {
    if (is(file)) return put_file(out, file);
  }
  put_error(out, Status::kNotFound,
            fmt::format("no {} {} among this server's services", what, name.substr(0, 200)));
}

}  // namespace

Bytes reflect(Server::Core& core, const Bytes& request) {
  WireField asked;
  std::string_view host;
  WireReader reader(request.span());
  for (WireField field; reader.next(field);) {
    if (field.wire != Wire::kLength) continue;
    if (field.number == 1) host = field.text();
    if (field.number >= 3 && field.number <= 7) asked = field;
  }
  Output out;
  put_text(out, 1, host);
  put_text(out, 2, request.view());
  const std::string_view name = asked.text();
  switch (asked.number) {
    case 3:
      put_found(out, core, "file", name, [&](const ProtoFile& f) { return f.name == name; });
      break;
    case 4:
      put_found(out, core, "symbol", name, [&](const ProtoFile& f) {
        return std::find(f.symbols.begin(), f.symbols.end(), name) != f.symbols.end();
      });
      break;
    case 5:
    case 6: put_error(out, Status::kNotFound, "proto3 messages have no extensions"); break;
    case 7: put_services(out, core); break;
    default: put_error(out, Status::kInvalidArgument, "the request asks for nothing"); break;
  }
  return out.take();
}

}  // namespace settee::inline v0::rpc::grpc
