// Files by their descriptors: reads and writes that are done in full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "lib/base/fd.h"

namespace mlq::tensorfile {

// pread and pwrite until all is done, whatever interrupts them; thread-safe. `name` is for the messages: an
// environment Error that says what failed and where, an input Error if there is less to read.
void read_fully(int fd, const std::string& name, uint64_t offset, std::span<std::byte> out);
void write_fully(int fd, const std::string& name, uint64_t offset, std::span<const std::byte> bytes);

// Makes the file `size` bytes long at least, with their place on the disk where the file system can promise
// it. An environment Error if there is none.
void reserve_space(int fd, const std::string& name, uint64_t size);
// Waits until all is on the disk.
void sync_file(int fd, const std::string& name);

// A file without a name in `folder`, for reading and writing: nothing is left of it, whatever ends the
// process.
Fd open_scratch(const std::string& folder);

}  // namespace mlq::tensorfile
