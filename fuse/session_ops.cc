#include "fuse/session_ops.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "fuse/session.h"

namespace escagent::fuse {
namespace {

constexpr std::size_t kBlockSize = 4096;
// How long the kernel may know `..data_tmp` without asking: longer than there can be nobody to ask
// (a successor does not know of it), so that the rename finds it.
constexpr double kNewDataLinkSeconds = 120;

Session& Self(fuse_req_t request) { return *static_cast<Session*>(fuse_req_userdata(request)); }

struct stat ToStat(const NodeAttributes& attributes) {
  using std::chrono::duration_cast;
  const auto since_epoch = attributes.time.time_since_epoch();
  const auto seconds = duration_cast<std::chrono::seconds>(since_epoch);
  struct stat out = {};
  out.st_ino = attributes.inode;
  out.st_mode = attributes.mode;
  out.st_nlink = attributes.links;
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blksize = static_cast<blksize_t>(kBlockSize);
  out.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  out.st_mtim.tv_sec = seconds.count();
  out.st_mtim.tv_nsec = duration_cast<std::chrono::nanoseconds>(since_epoch - seconds).count();
  out.st_atim = out.st_mtim;
  out.st_ctim = out.st_mtim;
  return out;
}

double Seconds(const Session& session, const NodeAttributes& attributes) {
  return attributes.cacheable ? session.CacheSeconds() : 0;
}

void Init(void* session, fuse_conn_info* connection) {
  static_cast<Session*>(session)->Negotiate(connection);
}

void ReplyEntry(fuse_req_t request, const Reply<NodeAttributes>& found) {
  if (!found) {
    fuse_reply_err(request, found.error());
    return;
  }
  fuse_entry_param entry = {};
  entry.ino = found->inode;
  entry.attr = ToStat(*found);
  entry.attr_timeout = Seconds(Self(request), *found);
  entry.entry_timeout = entry.attr_timeout;
  fuse_reply_entry(request, &entry);
}

void ReplyAttributes(fuse_req_t request, const Reply<NodeAttributes>& found) {
  if (!found) {
    fuse_reply_err(request, found.error());
    return;
  }
  const struct stat attributes = ToStat(*found);
  fuse_reply_attr(request, &attributes, Seconds(Self(request), *found));
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  ReplyEntry(request, Self(request).Tree().Lookup(parent, name));
}

void GetAttr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  const SecretTree& tree = Self(request).Tree();
  ReplyAttributes(
      request, file == nullptr ? tree.GetAttributes(inode) : tree.GetAttributes(inode, file->fh));
}

void ReadLink(fuse_req_t request, fuse_ino_t inode) {
  const Reply<std::string> target = Self(request).Tree().ReadLink(inode);
  if (target) {
    fuse_reply_readlink(request, target->c_str());
  } else {
    fuse_reply_err(request, target.error());
  }
}

void Open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  const Session& session = Self(request);
  const fuse_ctx& caller = *fuse_req_ctx(request);
  if ((file->flags & O_ACCMODE) != O_RDONLY) {
    session.NoteOpen(caller, inode, 0, EROFS);
    fuse_reply_err(request, EROFS);
    return;
  }
  if (session.Cache() == CacheProfile::kFull) {
    // Tells the kernel, once and for all, not to ask for OPEN.
    fuse_reply_err(request, ENOSYS);
    return;
  }
  const Reply<OpenedFile> opened = session.Tree().OpenFile(inode);
  if (!opened) {
    fuse_reply_err(request, opened.error());
    return;
  }
  const bool cached = session.Cache() == CacheProfile::kPage && opened->own_bytes;
  file->fh = opened->handle;
  file->keep_cache = cached ? 1 : 0;
  file->direct_io = cached ? 0 : 1;
  file->noflush = 1;
  session.NoteOpen(caller, inode, opened->handle, 0);
  // The opener was interrupted and will never release what it opened.
  if (fuse_reply_open(request, file) == -ENOENT) session.Tree().CloseFile(inode, opened->handle);
}

void Read(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
          fuse_file_info* file) {
  const Session& session = Self(request);
  const SecretTree& tree = session.Tree();
  const Reply<std::shared_ptr<const Secret>> content =
      session.Cache() == CacheProfile::kFull ? tree.Content(inode) : tree.Content(inode, file->fh);
  if (!content) {
    fuse_reply_err(request, content.error());
    return;
  }
  const std::string_view bytes = (*content)->Reveal();
  const std::size_t from = std::min(static_cast<std::size_t>(offset), bytes.size());
  fuse_reply_buf(request, bytes.data() + from, std::min(size, bytes.size() - from));
}

void Release(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Self(request).Tree().CloseFile(inode, file->fh);
  fuse_reply_err(request, 0);
}

void OpenDir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  SecretTree& tree = Self(request).Tree();
  const Reply<std::uint64_t> handle = tree.OpenFolder(inode);
  if (!handle) {
    fuse_reply_err(request, handle.error());
    return;
  }
  file->fh = *handle;
  // The request is gone once it is answered.
  const Session& session = Self(request);
  session.NoteFolder(inode, *handle, true);
  if (fuse_reply_open(request, file) != -ENOENT) return;
  tree.CloseFolder(*handle);
  session.NoteFolder(inode, *handle, false);
}

void ReadDir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
             fuse_file_info* file) {
  std::array<char, kBlockSize> buffer;
  const std::size_t capacity = std::min(size, buffer.size());
  // Every entry takes at least 32 bytes (struct fuse_dirent and a name).
  const std::size_t limit = capacity / 32 + 1;
  const Reply<std::vector<FolderEntry>> entries =
      Self(request).Tree().List(inode, file->fh, static_cast<std::size_t>(offset), limit);
  if (!entries) {
    fuse_reply_err(request, entries.error());
    return;
  }
  std::size_t used = 0;
  for (const FolderEntry& entry : *entries) {
    struct stat attributes = {};
    attributes.st_ino = entry.inode;
    attributes.st_mode = entry.type;
    const std::size_t needed = fuse_add_direntry(request, buffer.data() + used, capacity - used,
                                                 entry.name.c_str(), &attributes, ++offset);
    if (needed > capacity - used) break;
    used += needed;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void ReleaseDir(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Self(request).Tree().CloseFolder(file->fh);
  Self(request).NoteFolder(inode, file->fh, false);
  fuse_reply_err(request, 0);
}

void StatFs(fuse_req_t request, fuse_ino_t) {
  const std::shared_ptr<const Generation> current = Self(request).Tree().Current();
  struct statvfs out = {};
  out.f_bsize = kBlockSize;
  out.f_frsize = kBlockSize;
  out.f_blocks = (current->TotalBytes() + kBlockSize - 1) / kBlockSize;
  out.f_files = current->Nodes().size() + 1;
  out.f_namemax = 255;
  fuse_reply_statfs(request, &out);
}

// Every way to write that is none of the helper's steps (SecretTree). Pods have the mount
// read-only, so that these are for whoever remounts it, and for processes on the node.
void Refuse(fuse_req_t request) { fuse_reply_err(request, EROFS); }

bool IsHelper(fuse_req_t request) { return fuse_req_ctx(request)->uid == 0; }

void MakeFolder(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t) {
  if (!IsHelper(request)) return Refuse(request);
  ReplyEntry(request, Self(request).Tree().MakeFolder(parent, name));
}

void MakeLink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  if (!IsHelper(request)) return Refuse(request);
  const Session& session = Self(request);
  const Reply<NodeAttributes> made = session.Tree().MakeLink(parent, name, target);
  if (!made || name != kNewDataLink) return ReplyEntry(request, made);
  fuse_entry_param entry = {};
  entry.ino = made->inode;
  entry.attr = ToStat(*made);
  entry.attr_timeout = Seconds(session, *made);
  entry.entry_timeout = kNewDataLinkSeconds;
  fuse_reply_entry(request, &entry);
}

void Rename(fuse_req_t request, fuse_ino_t from, const char* old_name, fuse_ino_t to,
            const char* new_name, unsigned flags) {
  if (!IsHelper(request) || flags != 0) return Refuse(request);
  const Reply<void> done = Self(request).Tree().Rename(from, old_name, to, new_name);
  fuse_reply_err(request, done ? 0 : done.error());
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  if (!IsHelper(request)) return Refuse(request);
  const Reply<void> done = Self(request).Tree().Unlink(parent, name);
  fuse_reply_err(request, done ? 0 : done.error());
}

void SetAttr(fuse_req_t request, fuse_ino_t inode, struct stat*, int which, fuse_file_info*) {
  constexpr int kTimes = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
                         FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;
  if (!IsHelper(request) || (which & ~kTimes) != 0) return Refuse(request);
  ReplyAttributes(request, Self(request).Tree().Touch(inode));
}

fuse_lowlevel_ops MakeOps() {
  fuse_lowlevel_ops ops = {};
  ops.init = Init;
  ops.lookup = Lookup;
  ops.getattr = GetAttr;
  ops.readlink = ReadLink;
  ops.open = Open;
  ops.read = Read;
  ops.release = Release;
  ops.opendir = OpenDir;
  ops.readdir = ReadDir;
  ops.releasedir = ReleaseDir;
  ops.statfs = StatFs;

  ops.mkdir = MakeFolder;
  ops.symlink = MakeLink;
  ops.rename = Rename;
  ops.unlink = Unlink;
  ops.setattr = SetAttr;
  ops.mknod = [](fuse_req_t request, fuse_ino_t, const char*, mode_t, dev_t) { Refuse(request); };
  ops.rmdir = [](fuse_req_t request, fuse_ino_t, const char*) { Refuse(request); };
  ops.link = [](fuse_req_t request, fuse_ino_t, fuse_ino_t, const char*) { Refuse(request); };
  ops.create = [](fuse_req_t request, fuse_ino_t, const char*, mode_t, fuse_file_info*) {
    Refuse(request);
  };
  ops.write = [](fuse_req_t request, fuse_ino_t, const char*, std::size_t, off_t, fuse_file_info*) {
    Refuse(request);
  };
  ops.setxattr = [](fuse_req_t request, fuse_ino_t, const char*, const char*, std::size_t, int) {
    Refuse(request);
  };
  ops.removexattr = [](fuse_req_t request, fuse_ino_t, const char*) { Refuse(request); };
  ops.fallocate = [](fuse_req_t request, fuse_ino_t, int, off_t, off_t, fuse_file_info*) {
    Refuse(request);
  };
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& SessionOps() {
  static const fuse_lowlevel_ops ops = MakeOps();
  return ops;
}

}  // namespace escagent::fuse
