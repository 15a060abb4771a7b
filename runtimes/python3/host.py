"""Language host for Python 2.7 and 3.6+: a parent that forks children, and the children that run user code.

runtimes/README.md is the contract. The parent never loads user code; it is a warm interpreter, so that a child is ready
a few milliseconds after it was asked for.
"""
import errno
import fcntl
import gc
import importlib
import inspect
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import time
import traceback

PY3 = sys.version_info[0] >= 3
if PY3:
    import importlib.machinery
    import importlib.util
HELLO, SPAWN, KILL, SPAWNED, EXITED = 1, 2, 3, 4, 5
LOAD, LOADED, LOAD_FAILED, INVOKE, RESULT = 6, 7, 8, 9, 10
FOLLOW, LOG = 11, 12
PARENT, CHILD = 0, 1
EXIT_CODE, EXIT_SIGNAL, NOT_MADE = 0, 1, 2
RETURNED, FAILED = 0, 1
LEAVE = 0xFFFFFFFF
HEAD, U8, U16, U32, U64 = (struct.Struct('>' + code) for code in ('IB', 'B', 'H', 'I', 'Q'))
RESULT_HEAD = struct.Struct('>IBIBII')  # up to the length of the output

MAX_FRAME = 64 * 1024 * 1024
RECEIVED_AT_ONCE = 256 * 1024
LOG_KEPT = 65536
LOG_READ = LOG_KEPT + 1  # one byte more than is kept tells that there was more
LOG_FLOOD = 1024 * 1024
WATCH_SECONDS = 0.02
FLOOD_WAIT_TRIES, FLOOD_WAIT_SECONDS = 200, 0.005
MAX_INHERITED = 1024  # descriptors of the parent are below this
POSITIONAL = '__function_input'
RESOURCES = 'Function execution failed because of too much resource consumption'
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

clock = time.perf_counter if PY3 else time.time
# Kept: json.dumps would make an encoder for each result that is not to hold NaN.
encode, decode = json.JSONEncoder(allow_nan=False).encode, json.JSONDecoder().decode
sleep = time.sleep


# Frames

def pack_bytes(data):
    return struct.pack('>I', len(data)) + data


def pack_text(text):
    return pack_bytes(text if isinstance(text, bytes) else text.encode('utf-8', 'replace'))


def frame(kind, *fields):
    body = b''.join(fields)
    return struct.pack('>IB', len(body) + 1, kind) + body


class Fields(object):
    """Reads the fields of one frame in their order."""
    __slots__ = ('data', 'position', 'end')

    def __init__(self, data, position, end):
        self.data = data
        self.position = position
        self.end = end

    def number(self, layout):
        value, = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return value

    def bytes(self):
        length = self.number(U32)
        start = self.position
        self.position += length
        if self.position > self.end:
            raise ValueError('frame is cut')
        return self.data[start:self.position]

    def text(self):
        value = self.bytes().decode('utf-8')
        return value if PY3 else value.encode('utf-8')


class Frames(object):
    """The frames of a blocking socket."""

    def __init__(self, connection):
        self.connection = connection
        self.chunk = memoryview(bytearray(RECEIVED_AT_ONCE))
        self.buffer = bytearray()
        self.position = 0  # what is before it was taken

    def take(self):
        """The next complete frame as (kind, Fields), or None where more bytes are needed."""
        start = self.position
        if len(self.buffer) < start + 5:
            return None
        length, kind = HEAD.unpack_from(self.buffer, start)
        if not 1 <= length <= MAX_FRAME:
            raise ValueError('frame of %d bytes' % length)
        end = start + 4 + length
        if len(self.buffer) < end:
            return None
        self.position = end
        return kind, Fields(self.buffer, start + 5, end)

    def receive(self):
        """Reads more bytes; False at the end of the stream."""
        if self.position > 0:
            del self.buffer[:self.position]
            self.position = 0
        try:
            count = self.connection.recv_into(self.chunk)
        except (IOError, OSError) as error:
            if error.errno == errno.EINTR:
                return True
            return False
        self.buffer += self.chunk[:count]
        return count > 0

    def next(self):
        """The next frame, waiting for it; None at the end of the stream."""
        while True:
            found = self.take()
            if found is not None:
                return found
            if not self.receive():
                return None


def dial(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    return connection


def version():
    return '.'.join(str(part) for part in sys.version_info[:3])


# The parent

class Child(object):
    def __init__(self, name, pid, log, scratch, uid, groups):
        self.name = name
        self.pid = pid
        self.log = log
        self.scratch = scratch
        self.uid = uid
        self.groups = groups
        self.followed = 0  # the invocation whose text is wanted
        self.told = 0  # bytes of it


class Parent(object):
    def __init__(self, path, name):
        self.path = path
        self.connection = dial(path)
        self.connection.sendall(frame(HELLO, struct.pack('>B', PARENT), pack_text(name), pack_text(version())))
        self.frames = Frames(self.connection)
        self.children = {}
        self.wake_read, self.wake_write = os.pipe()
        for end in (self.wake_read, self.wake_write):
            fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_NONBLOCK)
            fcntl.fcntl(end, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self.end())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write)
        become_subreaper()

    def run(self):
        while True:
            ready = self.wait()
            if self.wake_read in ready:
                drain(self.wake_read)
            self.reap()
            self.watch_logs()
            if self.connection in ready:
                if not self.frames.receive():
                    self.end()
                self.handle_frames()

    def wait(self):
        try:
            timeout = WATCH_SECONDS if self.children else None
            return select.select([self.connection, self.wake_read], [], [], timeout)[0]
        except (select.error, OSError) as error:
            if error.args[0] != errno.EINTR:
                raise
            return []

    def handle_frames(self):
        while True:
            found = self.frames.take()
            if found is None:
                return
            kind, fields = found
            if kind == SPAWN:
                self.spawn(fields)
            elif kind == KILL:
                self.kill(fields.text())
            elif kind == FOLLOW:
                self.follow(fields.text(), fields.number(U32))

    def spawn(self, fields):
        name = fields.text()
        try:
            self.fork(name, fields)
        except (IOError, OSError) as error:
            reason = pack_text(str(error))
            self.send(frame(EXITED, pack_text(name), struct.pack('>BI', NOT_MADE, 0), pack_bytes(b''), reason))

    def fork(self, name, fields):
        uid, gid = fields.number(U32), fields.number(U32)
        files, processes, file_size = fields.number(U32), fields.number(U32), fields.number(U64)
        scratch = fields.text()
        groups = [fields.text() for _ in range(fields.number(U8))]
        os.mkdir(scratch, 0o700)
        log = open_log(scratch + '.log')
        if uid != LEAVE:
            os.chown(scratch, uid, gid)
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                self.connection.close()
                connection = start_child(self.path, name, log, scratch, groups, uid, gid, (files, processes, file_size))
                warm_up()
                run_child(connection)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(70)
        self.children[pid] = Child(name, pid, log, scratch, uid, groups)
        self.send(frame(SPAWNED, pack_text(name), struct.pack('>I', pid)))

    def kill(self, name):
        for child in self.children.values():
            if child.name == name:
                kill_child(child)

    def follow(self, name, number):
        for child in self.children.values():
            if child.name == name:
                child.followed, child.told = number, 0

    def reap(self):
        while self.children or self.connection is not None:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                self.bury(child, status)

    def bury(self, child, status):
        kill_others(child)  # what it left behind
        how, code = (EXIT_SIGNAL, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (EXIT_CODE, os.WEXITSTATUS(status))
        log = read_log(child.log)
        os.close(child.log)
        shutil.rmtree(child.scratch, ignore_errors=True)
        self.send(frame(EXITED, pack_text(child.name), struct.pack('>BI', how, code), pack_bytes(log), pack_text('')))

    def watch_logs(self):
        for child in self.children.values():
            size = os.fstat(child.log).st_size
            if size > LOG_FLOOD:
                os.ftruncate(child.log, LOG_READ)  # the head is kept, the flood is not
            if child.followed and min(size, LOG_KEPT) > child.told:
                self.tell(child, min(size, LOG_KEPT) - child.told)

    def tell(self, child, length):
        """Sends what the log file holds beyond what was told; whose text that is, the agent knows."""
        text = read_at(child.log, length, child.told)
        head = struct.pack('>II', child.followed, child.told)
        child.told += len(text)
        self.send(frame(LOG, pack_text(child.name), head, pack_bytes(text)))

    def send(self, data):
        try:
            self.connection.sendall(data)
        except (IOError, OSError):
            self.end()

    def end(self):
        children = list(self.children.values())
        for child in children:
            kill_tree(child.pid, child.uid)
        for child in children:
            try:
                os.waitpid(child.pid, 0)
            except OSError:
                pass  # reaped already
            shutil.rmtree(child.scratch, ignore_errors=True)
        os._exit(0)


def drain(descriptor):
    try:
        while os.read(descriptor, 1024):
            pass
    except OSError:
        pass


def open_log(path):
    """A file that has no name any more: it goes with its last user."""
    log = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return log


def read_log(log):
    size = size_of(log)
    if size == 0:
        return b''
    os.lseek(log, 0, os.SEEK_SET)
    return os.read(log, min(size, LOG_READ))


def size_of(log):
    return os.lseek(log, 0, os.SEEK_END)  # what is appended goes to the end anyway; a quarter of what fstat takes


def read_at(log, length, offset):
    """Reads without moving the position, which the child's descriptor shares."""
    if hasattr(os, 'pread'):
        return os.pread(log, length, offset)
    with open('/proc/self/fd/%d' % log, 'rb') as copy:
        copy.seek(offset)
        return copy.read(length)


def prctl(option, value):
    try:
        import ctypes
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
    except Exception:
        return False  # no ctypes, or not Linux


def become_subreaper():
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans of user code become ours, and are found


def kill_child(child):
    if child.uid != LEAVE:
        signal_process(child.pid, signal.SIGKILL)  # it makes no more processes
    kill_others(child)


def kill_others(child):
    """Kills whatever a child started that is dead, or is dying."""
    if child.uid == LEAVE:
        kill_tree(child.pid, child.uid)
    elif has_others(child):
        kill_user(child.uid)


def has_others(child):
    """False where its control group holds nothing else, as it mostly does: that spares the fork of kill_user."""
    if not child.groups:
        return True
    try:
        with open(child.groups[0]) as procs:
            return any(int(pid) != child.pid for pid in procs)
    except (IOError, OSError, ValueError):
        return True


def kill_tree(pid, uid):
    """Kills a child and whatever it started: all that runs under its own user, or what /proc shows to be its tree."""
    if uid != LEAVE:
        kill_user(uid)
        signal_process(pid, signal.SIGKILL)  # may not have changed its user yet
        return
    signal_process(pid, signal.SIGSTOP)  # makes no more children while they are counted
    for _ in range(5):
        found = tree_of(pid)
        for other in found:
            signal_process(other, signal.SIGKILL)
        if not found:
            break
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    signal_process(pid, signal.SIGKILL)


def kill_user(uid):
    """All processes of a user at once, which no fork can outrun: as that user, a signal to everybody reaches them only."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setuid(uid)
            os.kill(-1, signal.SIGKILL)
        except BaseException:
            pass
        finally:
            os._exit(0)
    try:
        os.waitpid(pid, 0)
    except OSError:
        pass


def signal_process(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def tree_of(root):
    """Pids of the living processes of the child's session, and of its descendants, from /proc; without the child."""
    parents, members = {}, set()
    for entry in os.listdir('/proc') if os.path.isdir('/proc') else []:
        if not entry.isdigit():
            continue
        try:
            with open('/proc/%s/stat' % entry) as stat:
                state, parent, _, session = stat.read().rpartition(')')[2].split()[:4]
        except (IOError, OSError):
            continue
        if state == 'Z':
            continue
        parents[int(entry)] = int(parent)
        if int(session) == root:
            members.add(int(entry))
    grown = True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if pid not in members and (parent in members or parent == root):
                members.add(pid)
                grown = True
    return members - set([root, os.getpid()])


# The child

def start_child(path, name, log, scratch, groups, uid, gid, limits):
    """Makes the forked process a child: says Hello while it still may, then gives up its rights."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for group in groups:
        with open(group, 'w') as procs:
            procs.write(str(os.getpid()))
    connection = dial(path)
    connection.sendall(frame(HELLO, struct.pack('>B', CHILD), pack_text(name), pack_text(version())))
    own = connection.fileno()
    fcntl.fcntl(own, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, own)
    os.closerange(own + 1, MAX_INHERITED)
    drop_rights(uid, gid, limits)
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update({'PATH': PATH, 'LANG': 'C.UTF-8', 'HOME': scratch, 'TMPDIR': scratch})
    sys.stdin = os.fdopen(0, 'r')
    sys.stdout, sys.stderr = open_output(1), open_output(2)
    return connection


def warm_up():
    """Does once what a load and a call do, before there is one: half of their time is the first touch of shared memory."""
    try:
        sys.dont_write_bytecode = True
        names = {}
        exec(compile('def main(name=None, **kwargs):\n    return [name]\n', '<string>', 'exec'), names)
        encode(Function(names['main'])(b'{"name": "x"}', None))
        if PY3:
            loader = importlib.machinery.SourceFileLoader('null', os.devnull)  # an empty module
            spec = importlib.util.spec_from_file_location('null', os.devnull, loader=loader)
            loader.exec_module(importlib.util.module_from_spec(spec))
        importlib.import_module('__no_such_module__')
    except Exception:
        pass  # of that module, at least


def drop_rights(uid, gid, limits):
    files, processes, file_size = limits
    for what, value in ((resource.RLIMIT_NOFILE, files), (resource.RLIMIT_NPROC, processes),
                        (resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)):
        if value > 0 or what == resource.RLIMIT_CORE:
            hard = resource.getrlimit(what)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value))
    if uid != LEAVE:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    prctl(38, 1)  # PR_SET_NO_NEW_PRIVS


def open_output(descriptor):
    """Text output that is written line by line, so that a killed function's lines are in its log."""
    if PY3:
        return open(descriptor, 'w', buffering=1, encoding='utf-8', errors='backslashreplace', closefd=False)
    return os.fdopen(descriptor, 'w', 1)


def run_child(connection):
    frames = Frames(connection)
    function, max_output, pid = None, 0, os.getpid()
    while True:
        found = frames.next()
        if found is None:
            os._exit(0)
        kind, fields = found
        if kind == LOAD:
            function, max_output, failure = load(fields)
            if os.getpid() != pid:
                os._exit(0)  # user code forked, and this is the copy
            log = take_log()
            connection.sendall(frame(LOADED) if failure is None else frame(LOAD_FAILED, pack_bytes(failure), pack_bytes(log)))
        elif kind == INVOKE:
            number = fields.number(U32)
            attempt = attempt_of(fields.text())
            data = fields.bytes()
            start = clock()
            outcome, output = call(function, data, attempt, max_output)
            micros = min(max(int((clock() - start) * 1000000), 0), 0xFFFFFFFF)
            if os.getpid() != pid:
                os._exit(0)
            connection.sendall(result_frame(number, outcome, micros, output, take_log()))


def result_frame(number, outcome, micros, output, log):
    length = 1 + 4 + 1 + 4 + 4 + len(output) + 4 + len(log)
    return RESULT_HEAD.pack(length, RESULT, number, outcome, micros, len(output)) + output + U32.pack(len(log)) + log


def attempt_of(invocation):
    """The number behind the execution's id; None where an execution has one attempt only."""
    number = invocation.partition('/')[2]
    return int(number) if number else None


def load(fields):
    directory, entry, max_output = fields.text(), fields.text(), fields.number(U32)
    for _ in range(fields.number(U16)):
        name = fields.text()
        os.environ[name] = fields.text()
    sys.path.insert(0, directory)
    sys.dont_write_bytecode = True
    forget_shadowed(directory, entry.partition('.')[0])
    try:
        module, dot, name = entry.rpartition('.')
        if not dot or not module or not name:
            raise ValueError("The entry '%s' is not of the form module.function" % entry)
        return Function(getattr(importlib.import_module(module), name)), max_output, None
    except BaseException as error:
        print_traceback()
        return None, max_output, error_text(error)


def forget_shadowed(directory, name):
    """A module of the package goes before one of the language of the same name that this host has loaded already."""
    path = os.path.join(directory, name)
    if name not in sys.builtin_module_names and (os.path.isfile(path + '.py') or os.path.isdir(path)):
        sys.modules.pop(name, None)


class Function(object):
    """A user's function, and whether it wants the context."""

    def __init__(self, target):
        if not callable(target):
            raise TypeError('The entry is not callable')
        self.target = target
        self.takes_context = takes_context(target)
        self.loop = None

    def __call__(self, data, attempt):
        keywords = decode(data.decode('utf-8')) if data else {}
        positional = []
        if POSITIONAL in keywords:
            given = keywords.pop(POSITIONAL)
            positional = given if isinstance(given, list) else [given]
        if self.takes_context:
            keywords['context'] = {'os_session': None}
            if attempt is not None:
                keywords['context']['attempt'] = attempt
        value = self.target(*positional, **keywords)
        return self.wait_for(value) if PY3 and inspect.iscoroutine(value) else value

    def wait_for(self, coroutine):
        if self.loop is None:
            import asyncio
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(coroutine)


def takes_context(target):
    try:
        if PY3:
            kinds = inspect.signature(target).parameters
            return any(p.kind == p.VAR_KEYWORD or (p.name == 'context' and p.kind != p.POSITIONAL_ONLY)
                       for p in kinds.values())
        wanted = target if inspect.isroutine(target) else target.__call__
        arguments = inspect.getargspec(wanted)
        return arguments.keywords is not None or 'context' in arguments.args
    except (TypeError, ValueError):
        return False  # a built-in that does not tell


def call(function, data, attempt, max_output):
    try:
        value = function(data, attempt)
    except BaseException as error:
        print_traceback()
        return FAILED, error_text(error)
    try:
        output = encode(value).encode('ascii')
    except BaseException as error:
        return FAILED, json_text('Result is not JSON serializable: %s' % describe(error))
    if len(output) > max_output:
        text = 'Result of %d bytes is larger than the limit of %d bytes.' % (len(output), max_output)
        return FAILED, json_text(text)
    return RETURNED, output


def describe(error):
    try:
        return str(error)
    except Exception:
        try:
            return u'%s' % error if not PY3 else type(error).__name__
        except Exception:
            return type(error).__name__


def json_text(text):
    try:
        return json.dumps(text).encode('ascii')
    except Exception:
        return json.dumps(text.decode('utf-8', 'replace')).encode('ascii')  # Python 2: bytes that are no UTF-8


def error_text(error):
    text = describe(error)
    if isinstance(error, MemoryError) or (isinstance(error, (OSError, RuntimeError)) and 'Resource' in text):
        text = RESOURCES
    return json_text(text)


def print_traceback():
    """The traceback of user code: without the frames of this file."""
    try:
        kind, error, trace = sys.exc_info()
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(kind, error, trace)
    except BaseException:
        pass


def take_log():
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    try:
        size = size_of(1)
        if size == 0:
            return b''
        wait_for_watcher(size)
        log = read_log(1)
        os.ftruncate(1, 0)
        return log
    except OSError:
        return b''  # user code closed it


def wait_for_watcher(size):
    """Only the parent cuts a flood: if we emptied the file just before it does, it would make the file longer."""
    for _ in range(FLOOD_WAIT_TRIES):
        if size <= LOG_FLOOD:
            return
        sleep(FLOOD_WAIT_SECONDS)
        size = size_of(1)


if __name__ == '__main__':
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    parent = Parent(os.environ['QINLING_SOCKET'], os.environ.pop('QINLING_NAME'))
    gc.collect()
    if hasattr(gc, 'freeze'):
        gc.freeze()
    parent.run()
