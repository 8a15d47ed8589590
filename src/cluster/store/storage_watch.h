// A cursor over the recent changes of one kind.
//
// Thread: as Watch says; everything is guarded by the storage's mutex.

#pragma once

#include "cluster/store/storage.h"

namespace tidegate::cluster {

class StorageWatch final : public Watch {
 public:
  StorageWatch(std::shared_ptr<Storage> storage, Storage::Table& table, std::uint64_t position,
               WatchOptions options)
      : storage_(std::move(storage)),
        table_(table),
        position_(position),
        told_(position),
        options_(std::move(options)) {}
  ~StorageWatch() override;
  StorageWatch(const StorageWatch&) = delete;
  StorageWatch& operator=(const StorageWatch&) = delete;

  Result<std::optional<Event>> next(Duration timeout) override;
  void cancel() override;

 private:
  friend class Storage;

  bool wants(const Event& event) const {
    return options_.namespace_.empty() || event.object->namespace_() == options_.namespace_;
  }
  // The next change for this watch, past those of other namespaces; null if there is none yet.
  const Event* look();

  std::shared_ptr<Storage> storage_;
  Storage::Table& table_;   // lives as long as the storage
  std::uint64_t position_;  // every change up to it was delivered or is none of ours
  std::uint64_t told_;      // of the last event or bookmark
  const WatchOptions options_;
  bool cancelled_ = false;
};

}  // namespace tidegate::cluster
