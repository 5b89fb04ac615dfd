import Foundation
import Testing

@Suite("Help of the tool, whole")
struct ToolHelpTests {
  private func help(_ arguments: String...) throws -> String {
    let output = try ProgramRun("stratagem", arguments, environment: ["COLUMNS": "80"]).succeeded().output
    return output.trimmingCharacters(in: .newlines)
  }

  @Test("stratagem")
  func tool() throws {
    #expect(
      try help("--help") == """
        OVERVIEW: Starts distributed runs, checks machines for them, and shows and
        converts checkpoints.

        USAGE: stratagem <subcommand>

        OPTIONS:
          -h, --help              Show help information.

        SUBCOMMANDS:
          launch                  Start a program as the processes of a run, on one
                                  machine or several.
          doctor                  Check this machine and environment for distributed
                                  runs.
          inspect                 Show what is in a checkpoint (a file or a folder), a
                                  saved state_dict or a safetensors file.
          convert                 Write a checkpoint in another form.

          See 'stratagem help <subcommand>' for detailed help.
        """)
  }

  @Test("stratagem launch")
  func launch() throws {
    #expect(
      try help("launch", "--help") == """
        OVERVIEW: Start a program as the processes of a run, on one machine or several.

        The processes get torchrun's variables: RANK, LOCAL_RANK, WORLD_SIZE,
        LOCAL_WORLD_SIZE, GROUP_RANK, MASTER_ADDR, MASTER_PORT and others. Their lines
        come with the rank before them. The first one that fails ends all. On several
        machines, run the same command on each with a --node-rank of its own. Names
        with underscores, as torchrun has them (--nproc_per_node), mean the same.

        USAGE: stratagem launch [<options>] [<program> ...]

        ARGUMENTS:
          <program>               The program and its arguments.

        OPTIONS:
          --nproc-per-node <n>    Processes on each machine: a number, auto (GPUs, or
                                  else cores), gpu or cpu. (default: 1)
          --nnodes <n>            The number of machines. (default: 1)
          --node-rank <r>         The number of this machine, from 0.
          --master-addr <host>    The address of machine 0.
          --master-port <port>    A free port of machine 0. (default on one machine:
                                  any)
          --rdzv-endpoint <endpoint>
                                  The same as --master-addr and --master-port:
                                  host:port.
          --rdzv-id <id>          The name of the run, the same on all machines.
          --rdzv-backend <name>   How machines find each other: c10d or static, which
                                  mean the same. (default: c10d)
          --max-restarts <n>      How often all processes are started again after a
                                  failure. (default: 0)
          --standalone            A run on this machine alone, on any free port.
          --log-dir <dir>         Write what each rank prints to files in this folder,
                                  too.
          -r, --redirects <streams>
                                  With --log-dir, what goes only there: 1 output, 2
                                  errors, 3 both. (default: 0)
          -t, --tee <streams>     Accepted as torchrun's; all streams go to both places
                                  anyway.
          --no-python             Accepted as torchrun's; programs are always started
                                  as they are.
          -h, --help              Show help information.
        """)
  }

  @Test("stratagem doctor")
  func doctor() throws {
    #expect(
      try help("doctor", "--help") == """
        OVERVIEW: Check this machine and environment for distributed runs.

        Each line is ok, a warning or a problem, with the remedy. The exit status is 1
        when there is a problem.

        USAGE: stratagem doctor [--json] [--no-self-test]

        OPTIONS:
          --json                  Print JSON.
          --no-self-test          Do not start processes that compute together.
          -h, --help              Show help information.
        """)
  }

  @Test("stratagem inspect")
  func inspect() throws {
    #expect(
      try help("inspect", "--help") == """
        OVERVIEW: Show what is in a checkpoint (a file or a folder), a saved state_dict
        or a safetensors file.

        The numbers in tensors are not loaded, but the whole file is read once to
        compare its checksums; --no-verify leaves that out.

        USAGE: stratagem inspect <checkpoint> [--tensor <key>] [--all] [--no-verify] [--json]

        ARGUMENTS:
          <checkpoint>            A .ckpt, .pt or .safetensors file, or the folder of a
                                  sharded, distributed or DeepSpeed checkpoint.

        OPTIONS:
          --tensor <key>          Show the values and statistics of this tensor, such
                                  as fc1.weight.
          --all                   List the tensors of optimizers and everything else
                                  too, not only the weights.
          --no-verify             Do not compare checksums.
          --json                  Print JSON.
          -h, --help              Show help information.
        """)
  }
}
