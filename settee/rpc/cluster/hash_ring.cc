// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/hash_ring.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <functional>
#include <memory>
#include <string>

namespace settee::inline v0::rpc::cluster {
namespace {

constexpr std::uint64_t kDigests = 32;  // of a provider, without weights
constexpr std::size_t kWords = 4;       // of a digest: points
constexpr std::uint32_t kMostSkipped = 16;

using Digest = std::array<std::uint32_t, kWords>;

// MD5 with a context that stays: making one takes longer than using it.
class Md5 {
 public:
  bool digest(std::string_view text, Digest& out) noexcept {
    if (context_ == nullptr) {
      context_.reset(EVP_MD_CTX_new());
      fresh_ = true;
    }
    if (context_ == nullptr) return false;
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
    // Without a type it keeps the one it has, which spares looking for it.
    if (EVP_DigestInit_ex(context_.get(), fresh_ ? EVP_md5() : nullptr, nullptr) != 1 ||
        EVP_DigestUpdate(context_.get(), text.data(), text.size()) != 1 ||
        EVP_DigestFinal_ex(context_.get(), bytes.data(), nullptr) != 1) {
      context_.reset();
      return false;
    }
    fresh_ = false;
    for (std::size_t i = 0; i < kWords; ++i) {
      out[i] = std::uint32_t{bytes[4 * i]} | std::uint32_t{bytes[4 * i + 1]} << 8 |
               std::uint32_t{bytes[4 * i + 2]} << 16 | std::uint32_t{bytes[4 * i + 3]} << 24;
    }
    return true;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
  bool fresh_ = true;
};

Md5& md5() noexcept {
  static thread_local Md5 here;
  return here;
}

std::uint64_t digests_by_weight(const Member& member) {
  return kDigests * static_cast<std::uint64_t>(member.weight()) / kWords;
}

}  // namespace

bool HashRing::available() noexcept {
  Digest digest;
  return md5().digest({}, digest);
}

HashRing::HashRing(const Members& members, bool by_weight) : members_(members.size()) {
  std::vector<std::uint64_t> digests(members.size(), kDigests);
  std::uint64_t total = kDigests * members.size();
  if (by_weight) {
    std::uint64_t weighed = 0;
    for (const std::shared_ptr<Member>& member : members) weighed += digests_by_weight(*member);
    if (weighed > 0) {
      std::transform(members.begin(), members.end(), digests.begin(),
                     [](const auto& member) { return digests_by_weight(*member); });
      total = weighed;
    }
  }
  constexpr std::uint64_t kMaxDigests = kMaxPoints / kWords;
  if (total > kMaxDigests) {
    const double part = static_cast<double>(kMaxDigests) / static_cast<double>(total);
    for (std::uint64_t& count : digests) {
      if (count == 0) continue;
      count =
          std::max<std::uint64_t>(static_cast<std::uint64_t>(static_cast<double>(count) * part), 1);
    }
  }
  ring_.reserve(std::min(total, kMaxDigests + members.size()) * kWords);
  for (std::size_t i = 0; i < members.size(); ++i) add(members[i]->provider, i, digests[i]);
  std::sort(ring_.begin(), ring_.end());
  // Of those at one point the last stays: later ones replace earlier ones in Java's map.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ring_.size(); ++i) {
    if (i + 1 < ring_.size() && ring_[i] >> 32 == ring_[i + 1] >> 32) continue;
    ring_[kept++] = ring_[i];
  }
  ring_.resize(kept);

  // Some four points for each beginning.
  const unsigned bits =
      static_cast<unsigned>(std::clamp<std::size_t>(std::bit_width(kept), 3, 24)) - 2;
  shift_ = 32 - bits;
  begins_.resize(std::size_t{1} << bits);
  std::size_t at = 0;
  for (std::size_t i = 0; i < begins_.size(); ++i) {
    while (at < kept && ring_[at] >> 32 < std::uint64_t{i} << shift_) ++at;
    begins_[i] = static_cast<std::uint32_t>(at);
  }
}

void HashRing::add(const Provider& provider, std::size_t index, std::uint64_t digests) {
  std::string text = provider.endpoint.host + std::to_string(provider.endpoint.port);
  const std::size_t stem = text.size();
  text.resize(stem + 20);
  for (std::uint64_t i = 0; i < digests; ++i) {
    const char* const end = std::to_chars(text.data() + stem, text.data() + text.size(), i).ptr;
    Digest digest;
    if (!md5().digest({text.data(), static_cast<std::size_t>(end - text.data())}, digest)) return;
    for (const std::uint32_t point : digest) ring_.push_back(std::uint64_t{point} << 32 | index);
  }
}

std::size_t HashRing::find(std::string_view key, std::uint32_t skip) const noexcept {
  Digest digest;
  if (!md5().digest(key, digest)) {
    // No memory for a context: at least the same one each time.
    digest[0] = static_cast<std::uint32_t>(std::hash<std::string_view>()(key));
  }
  if (ring_.empty()) return digest[0] % members_;
  const std::uint64_t point = std::uint64_t{digest[0]} << 32;
  std::size_t at = begins_[digest[0] >> shift_];
  while (at < ring_.size() && ring_[at] < point) ++at;
  if (at == ring_.size()) at = 0;
  const auto owner = [this](std::size_t i) { return static_cast<std::uint32_t>(ring_[i]); };
  if (skip == 0) return owner(at);

  std::array<std::uint32_t, kMostSkipped> skipped;
  skip = std::min(skip, kMostSkipped);
  std::uint32_t count = 0;
  std::uint32_t last = owner(at);
  for (std::size_t steps = 0; steps < ring_.size(); ++steps) {
    const std::uint32_t next = owner(at);
    at = at + 1 == ring_.size() ? 0 : at + 1;
    if (std::find(skipped.begin(), skipped.begin() + count, next) != skipped.begin() + count) {
      continue;
    }
    last = next;
    if (count == skip) return next;
    skipped[count++] = next;
  }
  return last;
}

}  // namespace settee::inline v0::rpc::cluster
