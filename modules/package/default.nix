# pisec and pistack, as functions of what to build and for which machine.
#
# Only what the compiler reads is in the source: no host, stack, module, document or test. So the
# store path of a device's pisec changes when its code does, and with nothing else.
{
  buildGoModule,
  lib,
  stdenv,
}:

let
  root = ../..;

  folders = lib.filter builtins.pathExists (
    map (name: root + "/${name}") [
      "cmd"
      "compose"
      "internal"
      "nixgen"
      "secrets"
    ]
  );

  isCompiled =
    path: _type:
    !lib.elem (baseNameOf path) [
      "testdata"
    ]
    && !lib.hasSuffix "_test.go" path;

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions (
      [
        (root + "/go.mod")
        (root + "/go.sum")
      ]
      ++ map (
        folder:
        lib.fileset.fromSource (
          lib.sources.cleanSourceWith {
            src = folder;
            filter = isCompiled;
          }
        )
      ) folders
    );
  };

  goarch = {
    aarch64-linux = "arm64";
    x86_64-linux = "amd64";
  };
in
{
  # pisec or pistack
  name,
  # the system that the program runs on; the one that builds it when null
  target ? null,
}:

let
  package = buildGoModule {
    pname = name;
    version = "0.1.0";
    inherit src;

    # Written by testdata/nixos/vendor-hash from go.mod and go.sum.
    vendorHash = lib.fileContents ./vendor-hash;

    subPackages = [ "cmd/${name}" ];
    env.CGO_ENABLED = "0";
    ldflags = [
      "-s"
      "-w"
    ];
    # The tests want a git repository, ssh servers and virtual machines: `make test` runs them.
    doCheck = false;

    meta = {
      description =
        {
          pisec = "Container secrets in Git, for machines with an SSH host key";
          pistack = "Compose stacks on a fleet of NixOS machines";
        }
        .${name};
      license = lib.licenses.asl20;
      mainProgram = name;
    };
  };
in
if target == null || target == stdenv.hostPlatform.system then
  package
else
  # Go compiles for any machine without another compiler. buildGoModule sets GOARCH by its own
  # platform, so this comes after it.
  package.overrideAttrs (
    _final: previous: {
      pname = "${name}-${target}";
      env = previous.env // {
        GOOS = "linux";
        GOARCH = goarch.${target};
      };
      # strip knows the ELF files of its own machine only; the linker left out what it would remove.
      dontStrip = true;
      # `go install` for another machine adds a folder.
      postInstall = ''
        mv "$out"/bin/linux_*/* "$out/bin/"
        rmdir "$out"/bin/linux_*
      '';
    }
  )
