# Boots a host for the first time from the disk of another distribution: what that one left goes to
# /old-root before anything of it is used, /nix and /boot excepted.
#
# NixOS knows the same file, /etc/NIXOS_LUSTRATE, but only its old initrd without systemd heeds it. The
# playbook adds this module to the first system alone; the next deploy leaves it out.
{ config, ... }:

let
  inherit (config.boot.initrd.systemd.package) util-linux;
in
{
  boot.initrd.systemd.enable = true;

  boot.initrd.systemd.services.pistack-lustrate = {
    description = "Move what another distribution left to /old-root";

    # Nothing is mounted below the root yet, and nobody has read anything of it.
    requiredBy = [ "initrd-root-fs.target" ];
    requires = [ "sysroot.mount" ];
    after = [ "sysroot.mount" ];
    before = [
      "initrd-root-fs.target"
      "initrd-find-nixos-closure.service"
      "shutdown.target"
      "sysroot-run.mount"
    ];
    conflicts = [ "shutdown.target" ];
    unitConfig = {
      DefaultDependencies = false;
      # The second is there when the power failed between two steps.
      ConditionPathExists = [
        "|/sysroot/etc/NIXOS_LUSTRATE"
        "|/sysroot/etc.nixos"
      ];
    };
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStartPre = "${util-linux}/bin/mount -o remount,rw /sysroot";
    };
    script = ''
      export PATH=/bin
      set -- /sysroot
    ''
    + builtins.readFile ./lustrate.sh;
  };
}
