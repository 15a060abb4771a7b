# -*- coding: utf-8 -*-
"""What the suite for language hosts asks of every language, in Python 2.7 and 3."""
import os
import signal
import subprocess
import sys
import time

counter = 0


def echo(value):
    return value


def nothing():
    return None


def greet():
    return 'no input'


def count(**ignored):
    global counter
    counter += 1
    return counter


def raises(value):
    raise ValueError(value)


def later(value):
    return value


def no_json():
    return {'held': object()}


def not_a_number():
    return float('nan')


def large(bytes):
    return 'x' * bytes


def print_everywhere(value):
    print('language ' + value)
    sys.stderr.write('language error ' + value + '\n')
    sys.stdout.flush()
    os.write(1, ('descriptor 1 ' + value + '\n').encode('ascii'))
    os.write(2, ('descriptor 2 ' + value + '\n').encode('ascii'))
    subprocess.call(['sh', '-c', 'echo program ' + value])


def flood(bytes):
    line = b'x' * 1023 + b'\n'
    for _ in range(bytes // 1024):
        os.write(1, line)
    return 'done'


def flood_for_ever():
    line = b'x' * 1023 + b'\n'
    while True:
        os.write(1, line)


def sleeps(value='asleep'):
    print(value)
    time.sleep(600)


def prints(value):
    print(value)
    time.sleep(0.002)


def attempt(context):
    return context.get('attempt')


def spins():
    while True:
        pass


def start_programs(stay):
    """A child, its own child, and one in a session of its own whose parent is gone."""
    subprocess.call(['sh', '-c', 'sleep 600 & (setsid sleep 600 & echo $!); echo $!'], close_fds=True)
    program = subprocess.Popen(['sleep', '600'], close_fds=True)
    os.write(1, ('%d\n' % program.pid).encode('ascii'))
    if stay:
        time.sleep(600)


def leave(code):
    print('leaving')
    sys.stdout.flush()
    os._exit(code)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def environment():
    return dict(os.environ)


def scratch():
    with open('note', 'w') as note:
        note.write('note')
    return {'cwd': os.getcwd(), 'home': os.environ['HOME'], 'tmpdir': os.environ['TMPDIR'], 'pid': os.getpid()}


def identity():
    return {'uid': os.getuid(), 'gid': os.getgid(), 'groups': os.getgroups()}


def descriptors():
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            found[name] = os.readlink('/proc/self/fd/' + name)
        except OSError:
            pass  # the one that listed them
    return found


def read_input():
    return sys.stdin.read()


def hold(bytes, stay):
    held = b'x' * bytes
    if stay:
        time.sleep(600)
    return len(held)


def sleeps_if_told(stay):
    if stay:
        time.sleep(600)
    return 'awake'


def with_context(value, context):
    return [value, context]


def with_keywords(*arguments, **keywords):
    return [list(arguments), keywords]


def leaves():
    sys.exit('left')


def recurses():
    return recurses()


def opens():
    return [open(os.devnull) for _ in range(2000)]


def forks(processes):
    pids = []
    try:
        for _ in range(processes):
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            pids.append(pid)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def returns_twice():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return 'once'
