# The disk image of an x86_64 machine, laid out as an SD image: <host>-sd is <host> with this module.
#
# GRUB's core image stands in the gap in front of the first partition, and reads the first
# /boot/grub/grub.cfg, which the first `nixos-rebuild switch` replaces.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:

let
  label = config.sdImage.rootVolumeLabel;
  toplevel = config.system.build.toplevel;

  coreConfig = pkgs.writeText "grub-core.cfg" ''
    search.fs_label ${label} root
    set prefix=($root)/boot/grub
  '';

  grubConfig = pkgs.writeText "grub.cfg" ''
    set timeout=1
    menuentry "NixOS" {
      search --no-floppy --set=root --label ${label}
      linux ${config.boot.kernelPackages.kernel}/${config.system.boot.loader.kernelFile} init=${toplevel}/init ${toString config.boot.kernelParams}
      initrd ${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}
    }
  '';
in
{
  imports = [ (modulesPath + "/installer/sd-card/sd-image.nix") ];

  # The partition of the firmware is empty here, and the board does not know it.
  fileSystems."/boot/firmware".enable = lib.mkForce false;

  sdImage = {
    populateFirmwareCommands = "";
    populateRootCommands = ''
      mkdir -p ./files/boot/grub
      cp ${grubConfig} ./files/boot/grub/grub.cfg
    '';
    postBuildCommands = ''
      grub=${pkgs.buildPackages.grub2}
      $grub/bin/grub-mkimage --format=i386-pc --prefix=/boot/grub --config=${coreConfig} \
        --output=core.img biosdisk part_msdos ext2 normal linux search search_label
      # The code of the boot sector only: the partition table begins at byte 440.
      dd conv=notrunc bs=440 count=1 if=$grub/lib/grub/i386-pc/boot.img of=$img
      dd conv=notrunc bs=512 seek=1 if=core.img of=$img
    '';
  };
}
