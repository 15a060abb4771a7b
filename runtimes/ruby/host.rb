# Language host for Ruby: a parent that forks children, and the children that run user code. runtimes/README.md is the
# contract.
require 'etc'
require 'fileutils'
require 'json'
require 'socket'

# A module, and helpers that are no functions of everybody: user code defines its own at the top, of any name.
module QinlingHost
  HELLO, SPAWN, KILL, SPAWNED, EXITED, LOAD, LOADED, LOAD_FAILED, INVOKE, RESULT, FOLLOW, LOG = *1..12
  PARENT, CHILD = 0, 1
  EXIT_CODE, EXIT_SIGNAL, NOT_MADE = 0, 1, 2
  RETURNED, FAILED = 0, 1
  LEAVE = 0xFFFFFFFF
  MAX_FRAME = 64 * 1024 * 1024
  LOG_KEPT = 65_536
  LOG_READ = LOG_KEPT + 1 # one byte more than is kept tells that there was more
  LOG_FLOOD = 1024 * 1024
  WATCH_SECONDS = 0.02
  FLOOD_WAIT_TRIES = 200
  FLOOD_WAIT_SECONDS = 0.005
  SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

  # What both sides use: frames, signals, the log file.
  module Helpers
    def bytes(data)
      [data.bytesize].pack('N') + data.b
    end

    def frame(kind, *fields)
      body = fields.join.b
      [body.bytesize + 1, kind].pack('NC') + body
    end

    # Kills a child and whatever it started: all that runs under its own user, or what /proc shows to be its tree.
    def kill_tree(pid, uid)
      if uid != LEAVE
        kill_user(uid)
        return signal_process('KILL', pid)
      end
      signal_process('STOP', pid) # makes no more children while they are counted
      5.times do
        found = tree_of(pid)
        found.each { |other| signal_process('KILL', other) }
        break if found.empty?
      end
      signal_process('KILL', -pid)
      signal_process('KILL', pid)
    end

    # All processes of a user at once, which no fork can outrun: as that user, a signal to everybody reaches them only.
    def kill_user(uid)
      helper = fork do
        Process::UID.change_privilege(uid)
        signal_process('KILL', -1)
        exit!(0)
      end
      wait_for(helper)
    rescue SystemCallError
      nil
    end

    def wait_for(pid)
      Process.wait(pid)
    rescue SystemCallError
      nil # reaped already
    end

    def signal_process(name, pid)
      Process.kill(name, pid)
    rescue SystemCallError
      nil
    end

    # Pids of the living processes of the child's session, and of its descendants, from /proc; without the child.
    def tree_of(root)
      parents = {}
      members = []
      Dir.glob('/proc/[0-9]*').each do |folder|
        state, parent, _group, session = File.read("#{folder}/stat").rpartition(')').last.split
        next if state == 'Z'

        pid = File.basename(folder).to_i
        parents[pid] = parent.to_i
        members << pid if session.to_i == root
      rescue SystemCallError
        next
      end
      loop do
        more = parents.select { |pid, parent| !members.include?(pid) && (parent == root || members.include?(parent)) }.keys
        break if more.empty?

        members.concat(more)
      end
      members - [root, Process.pid]
    end

    def read_log(log)
      size = log.size
      size.zero? ? ''.b : log.pread([size, LOG_READ].min, 0)
    end

    # Only the parent cuts a flood: if we emptied the file just before it does, it would make the file longer.
    def wait_for_watcher(file)
      FLOOD_WAIT_TRIES.times do
        return if file.size <= LOG_FLOOD

        Kernel.sleep(FLOOD_WAIT_SECONDS)
      end
    end

    def take_log(file)
      wait_for_watcher(file)
      log = read_log(file)
      file.truncate(0) unless log.empty?
      log
    rescue SystemCallError, IOError
      ''.b # user code closed it
    end
  end

  # Reads the fields of one frame in their order.
  class Fields
    SIZES = { 'C' => 1, 'n' => 2, 'N' => 4, 'Q>' => 8 }.freeze

    def initialize(data)
      @data = data
      @position = 0
    end

    def number(code)
      value = @data.byteslice(@position, SIZES[code]).unpack1(code)
      @position += SIZES[code]
      value
    end

    def bytes
      length = number('N')
      value = @data.byteslice(@position, length)
      @position += length
      value
    end

    def text
      bytes.force_encoding('UTF-8')
    end
  end

  # The frames of a socket.
  class Frames
    def initialize(socket)
      @socket = socket
      @buffer = ''.b
    end

    def receive
      @buffer << @socket.readpartial(262_144)
      true
    rescue EOFError, SystemCallError
      false
    end

    def take
      return if @buffer.bytesize < 4

      length = @buffer.unpack1('N')
      exit!(1) unless length.between?(1, MAX_FRAME)
      return if @buffer.bytesize < 4 + length

      kind = @buffer.getbyte(4)
      fields = Fields.new(@buffer.byteslice(5, length - 1))
      @buffer = @buffer.byteslice(4 + length, @buffer.bytesize)
      [kind, fields]
    end

    def next
      loop do
        found = take
        return found if found
        return unless receive
      end
    end
  end

  # Makes, limits and kills children.
  class Parent
    include Helpers

    # followed: the invocation whose text is wanted, or 0; told: bytes of it.
    Member = Struct.new(:name, :pid, :log, :scratch, :uid, :followed, :told)

    def initialize(path, name)
      @path = path
      @socket = UNIXSocket.new(path)
      @socket.write(frame(HELLO, [PARENT].pack('C'), bytes(name), bytes(RUBY_VERSION)))
      @frames = Frames.new(@socket)
      @children = {}
      trap('INT', 'IGNORE')
      trap('TERM') { finish }
    end

    def run
      loop do
        ready = IO.select([@socket], nil, nil, @children.empty? ? nil : WATCH_SECONDS)
        if ready
          finish unless @frames.receive
          handle_frames
        end
        reap
        watch_logs
      end
    end

    def handle_frames
      while (found = @frames.take)
        kind, fields = found
        spawn_child(fields) if kind == SPAWN
        kill_child(fields.text) if kind == KILL
        follow_child(fields.text, fields.number('N')) if kind == FOLLOW
      end
    end

    def spawn_child(fields)
      name = fields.text
      make_child(name, fields)
    rescue SystemCallError => e
      @socket.write(frame(EXITED, bytes(name), [NOT_MADE, 0].pack('CN'), bytes(''), bytes(e.message)))
    end

    def make_child(name, fields)
      uid = fields.number('N')
      gid = fields.number('N')
      limits = [fields.number('N'), fields.number('N'), fields.number('Q>')]
      scratch = fields.text
      groups = Array.new(fields.number('C')) { fields.text }
      Dir.mkdir(scratch, 0o700)
      File.chown(uid, gid, scratch) unless uid == LEAVE
      log = open_log("#{scratch}.log")
      pid = fork { Child.new(become_child(name, log, scratch, groups, uid, gid, limits)).run }
      @children[pid] = Member.new(name, pid, log, scratch, uid, 0, 0)
      @socket.write(frame(SPAWNED, bytes(name), [pid].pack('N')))
    end

    # A file that has no name any more: it goes with its last user.
    def open_log(path)
      log = File.open(path, File::RDWR | File::APPEND | File::CREAT | File::EXCL, 0o600)
      File.unlink(path)
      log
    end

    def become_child(name, log, scratch, groups, uid, gid, limits)
      Process.setsid
      trap('TERM', 'DEFAULT')
      trap('INT', 'DEFAULT')
      groups.each { |procs| File.write(procs, Process.pid.to_s) }
      @socket.close
      socket = UNIXSocket.new(@path)
      socket.write(frame(HELLO, [CHILD].pack('C'), bytes(name), bytes(RUBY_VERSION)))
      $stdin.reopen(File::NULL)
      $stdout.reopen(log)
      $stderr.reopen(log)
      $stdout.sync = $stderr.sync = true
      log.close
      @children.each_value { |child| child.log.close }
      drop_rights(uid, gid, limits)
      Dir.chdir(scratch)
      ENV.replace('PATH' => SEARCH_PATH, 'LANG' => 'C.UTF-8', 'HOME' => scratch, 'TMPDIR' => scratch)
      socket
    end

    def drop_rights(uid, gid, limits)
      kinds = [Process::RLIMIT_NOFILE, Process::RLIMIT_NPROC, Process::RLIMIT_FSIZE]
      kinds.zip(limits).each { |kind, value| limit(kind, value) if value.positive? }
      Process.setrlimit(Process::RLIMIT_CORE, 0, 0)
      return if uid == LEAVE

      Process.groups = []
      Process::GID.change_privilege(gid)
      Process::UID.change_privilege(uid)
    end

    # A hard limit that is lower already stays.
    def limit(kind, value)
      value = [value, Process.getrlimit(kind).last].min
      Process.setrlimit(kind, value, value)
    end

    def kill_child(name)
      child = @children.each_value.find { |candidate| candidate.name == name }
      kill_tree(child.pid, child.uid) if child
    end

    def follow_child(name, number)
      child = @children.each_value.find { |candidate| candidate.name == name }
      child.followed, child.told = number, 0 if child
    end

    def reap
      loop do
        pid, status = Process.waitpid2(-1, Process::WNOHANG)
        break unless pid

        child = @children.delete(pid)
        bury(child, status) if child
      end
    rescue Errno::ECHILD
      nil
    end

    def bury(child, status)
      kill_tree(child.pid, child.uid) # what it left behind
      ending = status.signaled? ? [EXIT_SIGNAL, status.termsig] : [EXIT_CODE, status.exitstatus]
      log = read_log(child.log)
      child.log.close
      FileUtils.rm_rf(child.scratch)
      @socket.write(frame(EXITED, bytes(child.name), ending.pack('CN'), bytes(log), bytes('')))
    end

    def watch_logs
      @children.each_value do |child|
        size = child.log.size
        child.log.truncate(LOG_READ) if size > LOG_FLOOD
        finish = [size, LOG_KEPT].min
        tell_log(child, finish - child.told) if child.followed != 0 && finish > child.told
      end
    end

    # Sends what the log file holds beyond what was told; whose text that is, the agent knows.
    def tell_log(child, length)
      text = child.log.pread(length, child.told)
      @socket.write(frame(LOG, bytes(child.name), [child.followed, child.told].pack('NN'), bytes(text)))
      child.told += text.bytesize
    rescue EOFError
      nil # the child has emptied it
    end

    def finish
      @children.each_value { |child| kill_tree(child.pid, child.uid) }
      @children.each_value do |child|
        wait_for(child.pid)
        FileUtils.rm_rf(child.scratch)
      end
      exit!(0)
    end
  end

  # Loads one function, then runs invocations one after the other.
  class Child
    include Helpers

    PLAIN = [NilClass, TrueClass, FalseClass, Integer, Float, String, Symbol, Array, Hash].freeze
    LACKS = 'Function execution failed because of too much resource consumption'

    def initialize(socket)
      @socket = socket
      @frames = Frames.new(socket)
      @log = File.for_fd(1, File::RDWR | File::APPEND, autoclose: false)
      @pid = Process.pid
    end

    def run
      while (found = @frames.next)
        kind, fields = found
        load_entry(fields) if kind == LOAD
        invoke(fields) if kind == INVOKE
      end
      exit!(0)
    end

    def load_entry(fields)
      failure = load_failure(fields)
      printed = take_log(@log)
      answer(failure ? frame(LOAD_FAILED, bytes(failure), bytes(printed)) : frame(LOADED))
    end

    def invoke(fields)
      id = fields.number('N')
      context = context_of(fields.text)
      input = fields.bytes
      start = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
      outcome, output = call_entry(input, context)
      micros = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) - start
      answer(frame(RESULT, [id, outcome, micros].pack('NCN'), bytes(output), bytes(take_log(@log))))
    end

    def answer(frame)
      exit!(0) if Process.pid != @pid # user code forked, and this is the copy
      @socket.write(frame)
    end

    # Loads the function; the text of what went wrong, or nil.
    def load_failure(fields)
      directory = fields.text
      entry = fields.text
      @max_output = fields.number('N')
      fields.number('n').times { name = fields.text; ENV[name] = fields.text }
      file, dot, name = entry.rpartition('.')
      raise ArgumentError, "The entry '#{entry}' is not of the form module.function" if [file, dot, name].any?(&:empty?)

      $LOAD_PATH.unshift(directory)
      require File.join(directory, *file.split('.'))
      @entry = TOPLEVEL_BINDING.receiver.method(name)
      kinds = @entry.parameters
      @takes_input = kinds.any? { |kind, _| %i[req opt rest].include?(kind) }
      @takes_context = kinds.any? { |kind, given| %i[key keyreq].include?(kind) && given == :context }
      nil
    rescue Exception => e # rubocop:disable Lint/RescueException -- whatever user code raises is its own failure
      error_text(e, e.message.lines.first.to_s.chomp)
    end

    # Behind the execution's id stands the attempt's number, where an execution may have several.
    def context_of(invocation)
      attempt = invocation.partition('/').last
      attempt.empty? ? {} : { 'attempt' => attempt.to_i }
    end

    def call_entry(input, context)
      arguments = @takes_input ? [input.empty? ? nil : JSON.parse(input)] : []
      output = to_output(@takes_context ? @entry.call(*arguments, context: context) : @entry.call(*arguments))
      return [RETURNED, output] if output.bytesize <= @max_output

      [FAILED, JSON.generate("Result of #{output.bytesize} bytes is larger than the limit of #{@max_output} bytes.")]
    rescue Exception => e # rubocop:disable Lint/RescueException
      [FAILED, error_text(e, e.message.to_s)]
    end

    # The trace goes into the log.
    def error_text(error, text)
      $stderr.puts(error.full_message(highlight: false))
      text = LACKS if error.is_a?(NoMemoryError) || error.is_a?(Errno::EAGAIN)
      python_style(JSON.generate(text.dup.force_encoding('UTF-8').scrub))
    end

    def to_output(value)
      check(value)
      python_style(JSON.generate(value))
    rescue TypeError, JSON::GeneratorError, SystemStackError => e
      raise TypeError, "Result is not JSON serializable: #{e.message}"
    end

    # JSON.generate writes any object as its text; a result that is not JSON is an error instead.
    def check(value)
      raise TypeError, "#{value.class} is no JSON value" unless PLAIN.include?(value.class)

      value.each { |item| check(item) } if value.is_a?(Array)
      value.each_value { |item| check(item) } if value.is_a?(Hash)
    end

    # JSON text with Python's separators, ASCII only: clients of the original compare such texts. The pattern is
    # possessive: with a way back from each character a long string takes 40 times its memory.
    def python_style(json)
      spaced = json.gsub(/"(?:[^"\\]++|\\.)*+"|[,:]/) { |token| token == ',' || token == ':' ? "#{token} " : token }
      spaced.gsub(/[^\x00-\x7f]/) { |character| character.encode('UTF-16BE').unpack('n*').map { |unit| format('\\u%04x', unit) }.join }
    end
  end
end

QinlingHost::Parent.new(ENV['QINLING_SOCKET'], ENV.delete('QINLING_NAME')).run
